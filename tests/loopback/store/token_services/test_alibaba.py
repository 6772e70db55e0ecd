"""Roles, pods and profiles of Alibaba Cloud."""

import pytest

from tagfs.errors import BadCredentials
from tests.loopback.store.token_services.kit import FIRST, SECOND, is_of
from tests.loopback.store.token_services.sources import AK, RAM, RRSA, aliyun


def test_a_chain_of_ram_roles(host):
    host.service.keys["STS.one"] = (FIRST[1], FIRST[2])
    last = {"name": "p", "mode": "ChainableRamRoleArn", "source_profile": "q", **RAM}
    middle = {"name": "q", "mode": "RamRoleArn", "ram_role_arn": "acs:ram::1:role/q", **AK}
    extra = {"ram_session_name": "me", "expired_seconds": 1800, "external_id": "e", "policy": "{}"}
    host.write(".aliyun/config.json", aliyun({**last, **extra}, middle))
    assert is_of(host.find("oss").get(), SECOND)
    assert [one.by for one in host.service.asked] == ["long", "STS.one"]
    asked = host.service.asked[1].parameters
    assert (asked["RoleSessionName"], asked["DurationSeconds"]) == ("me", "1800")
    assert (asked["ExternalId"], asked["Policy"]) == ("e", "{}")


@pytest.mark.parametrize(
    ("profiles", "said"),
    [
        ([{"mode": "ChainableRamRoleArn", "source_profile": "p", **RAM}], "goes round: p -> p"),
        ([{"mode": "ChainableRamRoleArn", "source_profile": "q", **RAM}], "no profile 'q'"),
        ([{"mode": "ChainableRamRoleArn", **RAM}], "names no source_profile"),
        ([{"mode": "RamRoleArn", **AK}], "names no role"),
        ([{"mode": "RamRoleArn", "expired_seconds": 60, **AK, **RAM}], "900 seconds at least"),
        ([{"mode": "OIDC", **RAM}], "names no OIDC provider"),
        ([{"mode": "CredentialsURI"}], "names no credentials_uri"),
        ([{"mode": "CloudSSO"}], "nobody has signed on: run aliyun configure --mode CloudSSO"),
        ([{"mode": "OAuth"}], "run aliyun configure --mode OAuth"),
        ([{"mode": "RsaKeyPair"}], "mode RsaKeyPair needs .*: use credential_process"),
        ([{"mode": "EcsRamRoleArn", **RAM}], "machine's role, which instance_role=off forbids"),
    ],
)
def test_a_profile_of_aliyun_that_leads_nowhere(profiles, said, host, machine):
    host.write(".aliyun/config.json", aliyun(*({"name": "p", **one} for one in profiles)))
    with pytest.raises(BadCredentials, match=said):
        host.find("oss", instance_role=False).get()
    assert (machine["oss"].asked, host.service.requests) == ([], 0)


def test_a_role_of_the_machines_role(host):
    host.service.keys["machine"] = ("m", "m")
    host.write(".aliyun/config.json", aliyun({"name": "p", "mode": "EcsRamRoleArn", **RAM}))
    assert is_of(host.find("oss").get(), FIRST)
    assert host.service.asked[0].by == "machine"


@pytest.mark.parametrize("missing", RRSA)
def test_a_part_of_rrsa_is_missing(missing, host, machine):
    environment = {name: value for name, value in RRSA.items() if name != missing}
    with pytest.raises(BadCredentials, match=f"is set, and {missing} is not"):
        host.find("oss", environment).get()
    assert machine["oss"].asked == []
