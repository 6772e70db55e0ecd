"""The role of the machine, asked of stand-ins for the clouds' metadata services."""

import socket

import pytest

from tagfs.errors import BadCredentials
from tagfs.store.credentials.chain import CredentialsChoice, find_credentials
from tagfs.store.credentials.values import Credentials, SourceUnreachable
from tagfs.store.dialects.obs import OBS
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3
from tests.fakes.metadata_service import ADDRESSES, TOKEN, MetadataService, pair
from tests.waiting import soon

DIALECTS = {"oss": OSS, "obs": OBS, "s3": S3}
MOMENT = "2026-01-02T03:04:05.123456Z"
STS = Credentials("id", "S3CRET", "T0KEN", 1767323045.123456)
LATER = Credentials("id2", "S3CRET2", "T0KEN2", 1767323045.123456)


def find(service, environment, **choice):
    names = DIALECTS[service].environment
    environment = {"HOME": "/none", **environment}
    return find_credentials(service, names, CredentialsChoice(**choice), environment)


@pytest.fixture(params=["oss", "obs", "s3"])
def cloud(request):
    first = pair(request.param, "id", "S3CRET", "T0KEN", MOMENT)
    second = pair(request.param, "id2", "S3CRET2", "T0KEN2", MOMENT)
    with MetadataService(request.param, first, second) as service:
        yield service


def lead_to(cloud) -> dict[str, str]:
    return {ADDRESSES[cloud.cloud]: cloud.url}


def test_the_role_is_found_in_a_session_and_asked_again(cloud):
    found = find(cloud.cloud, lead_to(cloud))
    assert found.get() == STS
    assert found.get() == STS
    assert [method for method, _ in cloud.asked].count("PUT") == 1
    assert found.refresh() == LATER
    assert found.get() == LATER
    assert "role" in found.origin or "agency" in found.origin


def test_a_service_without_sessions(cloud):
    cloud.hardened = cloud.sessions = False
    assert find(cloud.cloud, lead_to(cloud)).get() == STS


def test_nobody_is_asked_when_there_is_another_pair(cloud):
    names = DIALECTS[cloud.cloud].environment
    environment = {names.access_key_id: "a", names.secret_access_key: "b"}
    found = find(cloud.cloud, {**lead_to(cloud), **environment})
    assert found.get() == Credentials("a", "b")
    assert found.refresh() == Credentials("a", "b")
    assert cloud.asked == []


def test_it_can_be_switched_off(cloud):
    with pytest.raises(BadCredentials, match="no credentials"):
        find(cloud.cloud, lead_to(cloud), instance_role=False).get()
    variables = {
        "oss": "ALIBABA_CLOUD_ECS_METADATA_DISABLED",
        "s3": "AWS_EC2_METADATA_DISABLED",
    }
    if cloud.cloud in variables:
        with pytest.raises(BadCredentials, match="switched off"):
            find(cloud.cloud, {**lead_to(cloud), variables[cloud.cloud]: "true"}).get()
    assert cloud.asked == []


@pytest.mark.parametrize("cloud", ["oss", "s3"], indirect=True)
def test_a_service_that_may_only_be_asked_in_a_session(cloud):
    variables = {"oss": "ALIBABA_CLOUD_IMDSV1_DISABLED", "s3": "AWS_EC2_METADATA_V1_DISABLED"}
    cloud.hardened = cloud.sessions = False
    with pytest.raises(BadCredentials, match="gave no token"):
        find(cloud.cloud, {**lead_to(cloud), variables[cloud.cloud]: "true"}).get()


@pytest.mark.parametrize("cloud", ["oss"], indirect=True)
def test_the_name_of_the_role_may_be_known(cloud):
    environment = {**lead_to(cloud), "ALIBABA_CLOUD_ECS_METADATA": "tagfs-role"}
    assert find("oss", environment).get() == STS
    assert len(cloud.asked) == 2


def test_a_machine_without_a_role(cloud):
    cloud.status = 404
    with pytest.raises(BadCredentials, match=r"no credentials.*this machine has none"):
        find(cloud.cloud, lead_to(cloud)).get()


def test_a_service_in_trouble_is_not_taken_for_one_without_a_role(cloud):
    cloud.status = 503
    with pytest.raises(BadCredentials, match="answered 503"):
        find(cloud.cloud, lead_to(cloud)).get()


def test_what_is_held_stays_when_the_service_is_gone(cloud):
    found = find(cloud.cloud, lead_to(cloud))
    assert found.get() == STS
    cloud.__exit__()
    with pytest.raises(BadCredentials, match="no answer"):
        found.refresh()
    assert found.get() == STS


@pytest.mark.parametrize("status", [0, 429, 500, 503])
def test_a_silence_after_an_answer_may_pass(cloud, status):
    """Requests wait for it as long as `timeout` says, and are not EACCES at once."""
    found = find(cloud.cloud, lead_to(cloud))
    found.get()
    cloud.status = status
    if not status:
        cloud.__exit__()
    with pytest.raises(SourceUnreachable, match=r"role|agency"):
        found.refresh()


@pytest.mark.parametrize("status", [403, 401])
def test_a_role_that_is_refused_is_not_waited_for(cloud, status):
    found = find(cloud.cloud, lead_to(cloud))
    found.get()
    cloud.status = status
    with pytest.raises(BadCredentials) as raised:
        found.refresh()
    assert not isinstance(raised.value, SourceUnreachable)


def test_answers_that_are_none(cloud):
    cloud.pairs = [{"Message": "S3CRET"}]
    with pytest.raises(BadCredentials, match="has no access_key_id") as raised:
        find(cloud.cloud, lead_to(cloud)).get()
    assert "S3CRET" not in str(raised.value)


def test_a_service_that_does_not_answer_holds_nobody_up():
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes the connection, and is silent
        environment = {ADDRESSES["s3"]: f"http://127.0.0.1:{server.getsockname()[1]}"}
        with soon(), pytest.raises(BadCredentials, match=r"no credentials.*TimeoutError"):
            find("s3", environment).get()


@pytest.mark.parametrize("service", ["oss", "obs", "s3"])
@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1",
        "http://example.com",
        "https://127.0.0.1",
        "http://localhost.example.com",
        "http://127.0.0.1@192.0.2.1/",
        "http://[::ffff:192.0.2.1]",
        "ftp://127.0.0.1",
        "127.0.0.1",
    ],
)
def test_only_this_host_and_its_link_are_asked(service, url):
    with pytest.raises(BadCredentials, match="only http:// on loopback and link-local"):
        find(service, {ADDRESSES[service]: url}).get()


class TestContainer:
    @pytest.fixture
    def service(self):
        first = pair("container", "id", "S3CRET", "T0KEN", MOMENT)
        second = pair("container", "id2", "S3CRET2", "T0KEN2", MOMENT)
        with MetadataService("container", first, second) as service:
            yield service

    def test_with_a_token_in_a_file(self, service, tmp_path):
        token = tmp_path / "token"
        token.write_text(TOKEN + "\n")
        token.chmod(0o600)
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{service.url}/v2/credentials/x?id=1",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
        }
        found = find("s3", environment)
        assert found.get() == STS
        assert found.refresh() == LATER
        token.chmod(0o644)  # as clusters give it to all in a container
        assert found.refresh() == LATER
        token.chmod(0o666)
        with pytest.raises(BadCredentials, match="can be changed by others"):
            found.refresh()

    def test_with_a_token_in_the_environment(self, service):
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{service.url}/v2/credentials/x?id=1",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
        }
        assert find("s3", environment).get() == STS
        with pytest.raises(BadCredentials, match="401"):
            find("s3", {**environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "x"}).get()

    def test_the_address_of_ecs(self, service, monkeypatch):
        """The relative address is below ECS's own, which loopback stands in for."""
        monkeypatch.setattr("tagfs.store.credentials.container.CONTAINERS", service.url)
        service.hardened = False
        environment = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/x?id=1"}
        assert find("s3", environment).get() == STS

    def test_elsewhere_is_not_asked(self):
        for url in ("http://192.0.2.1/x", "http://example.com/x", "ftp://127.0.0.1/x"):
            with pytest.raises(BadCredentials, match="only http:// on loopback"):
                find("s3", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}).get()
