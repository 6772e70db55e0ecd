"""Agencies and federated users of Huawei Cloud."""

import pytest

from tagfs.errors import BadCredentials
from tests.loopback.store.token_services.sources import AGENCY, FEDERATED


@pytest.mark.parametrize("parts", [AGENCY, FEDERATED])
def test_a_part_of_an_agency_is_missing(parts, host, machine):
    for missing in parts:
        environment = {name: value for name, value in parts.items() if name != missing}
        with pytest.raises(BadCredentials, match=f"is set, and {missing} is not"):
            host.find("obs", environment).get()
    assert machine["obs"].asked == []


def test_what_an_agency_is_asked_for(host):
    more = {
        "HUAWEICLOUD_OIDC_SESSION_NAME": "me",
        "HUAWEICLOUD_OIDC_DURATION_SECONDS": "900",
        "HUAWEICLOUD_OIDC_POLICY_IDS": "a, b",
    }
    assert host.find("obs", {**AGENCY, **more}).get().identity == "iam::1:agency:pod/me"
    asked = host.service.asked[0].parameters
    assert (asked["duration_seconds"], asked["policy_ids"]) == (900, ["a", "b"])
