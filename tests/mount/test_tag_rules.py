"""Tag rules, rule by rule, for objects and the bucket: errno, log line, requests, and the set."""

import errno
import os
from dataclasses import dataclass

import pytest

from tests.emulated import Emulator
from tests.mount.conftest import ALL
from tests.mounting import Mounted, mounted

pytestmark = ALL

OK = 0


@dataclass(frozen=True)
class Case:
    """A tag, and what becomes of it.

    `expected`: "ok" or the errno's name, on an object and on the bucket of OSS, OBS and S3 in turn;
    one word for all, or one for each service, where they agree.
    """

    name: str
    key: bytes
    value: bytes
    expected: str

    def errno_on(self, kind: str, of: str) -> int:
        words = self.expected.split()
        every = {1: words * 6, 3: [w for w in words for _ in range(2)]}.get(len(words), words)
        word = every[2 * ["oss", "obs", "s3"].index(kind) + (of == "bucket")]
        return OK if word == "ok" else int(getattr(errno, word))


CASES = [
    Case("plain", b"team", b"blue", "ok"),
    Case("empty value", b"k", b"", "ok"),
    Case("empty key", b"", b"v", "EINVAL"),
    Case("allowed symbols", b"+-=._:/", b"+-=._:/", "ok EINVAL ok"),
    Case("symbols allowed everywhere", b"+-._:", b"+-._:", "ok"),
    Case("at", b"a@b", b"@", "EINVAL ok ok ok ok ok"),
    Case("blanks at the edges", b" k ", b" v ", "ok EINVAL ok"),
    Case("equals", b"a=b", b"c=d", "ok EINVAL ok"),
    Case("slash and plus", b"a/b+c", b"+/", "ok EINVAL ok"),
    Case("percent in the key", b"a%b", b"v", "EINVAL ok ok ok EINVAL EINVAL"),
    Case("percent in the value", b"k", b"100%", "EINVAL ok ok ok EINVAL EINVAL"),
    Case("comma", b"a,b", b"v", "EINVAL ok EINVAL EINVAL EINVAL EINVAL"),
    Case("asterisk", b"k", b"*", "EINVAL ok EINVAL EINVAL EINVAL EINVAL"),
    Case("backslash", b"a\\b", b"v", "EINVAL ok EINVAL EINVAL EINVAL EINVAL"),
    Case("ampersand", b"a&b", b"v", "EINVAL ok ok ok EINVAL EINVAL"),
    Case("quote", b"k", b'"', "EINVAL ok ok ok EINVAL EINVAL"),
    Case("angle brackets", b"<k>", b"v", "EINVAL ok EINVAL EINVAL EINVAL EINVAL"),
    Case("Chinese", "部门".encode(), "市场".encode(), "ok"),
    Case("emoji", b"k", "🎈".encode(), "EINVAL ok ok ok EINVAL EINVAL"),
    Case("not UTF-8", b"k", b"\xff\xfe", "EINVAL"),
    Case("key not UTF-8", b"\xff", b"v", "EINVAL"),
    Case("NUL in the value", b"k", b"a\0b", "EINVAL"),
    Case("newline in the value", b"k", b"a\nb", "EINVAL"),
    Case("key of 128", b"k" * 128, b"v", "ok ERANGE ok ERANGE ok ok"),
    Case("key of 129", b"k" * 129, b"v", "ERANGE"),
    Case("key of 64", b"k" * 64, b"v", "ok ok ok ERANGE ok ok"),
    Case("key of 36", b"k" * 36, b"v", "ok"),
    Case("key of 37", b"k" * 37, b"v", "ok ok ok ERANGE ok ok"),
    Case("value of 255", b"k", b"v" * 255, "ok E2BIG ok E2BIG ok ok"),
    Case("value of 256", b"k", b"v" * 256, "ok E2BIG E2BIG E2BIG ok ok"),
    Case("value of 257", b"k", b"v" * 257, "E2BIG"),
    Case("value of 128", b"k", b"v" * 128, "ok ok ok E2BIG ok ok"),
    Case("value of 43", b"k", b"v" * 43, "ok"),
    Case("value of 44", b"k", b"v" * 44, "ok ok ok E2BIG ok ok"),
    Case("43 Chinese", b"k", "中".encode() * 43, "ok E2BIG ok ok ok ok"),
    Case("reserved acs:", b"ACS:x", b"v", "ok EINVAL ok ok ok ok"),
    Case("reserved http://", b"http://x", b"v", "ok EINVAL EINVAL EINVAL ok ok"),
    Case("reserved aws:", b"aws:x", b"v", "ok ok ok ok EINVAL EINVAL"),
]


@pytest.fixture(scope="module")
def shared(service: Emulator, tmp_path_factory: pytest.TempPathFactory):
    """One mount for all cases: each has an object of its own."""
    with mounted(service, service.take(), tmp_path_factory.mktemp("rules") / "mnt") as running:
        yield running


def attempt(path: bytes, name: bytes, value: bytes) -> int:
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        return error.errno or -1
    return OK


def tags_of(shared: Mounted, key: str) -> dict[str, str]:
    return shared.tags(key) if key else shared.judge.bucket_tags()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("of", ["object", "bucket"])
def test_rule(shared: Mounted, case: Case, of: str) -> None:
    """G8. What the service would refuse is refused before any request, with a log line that names
    the object and the rule. A refused edit leaves the tag set as it was."""
    key = f"object {CASES.index(case)}" if of == "object" else ""
    expected = case.errno_on(shared.kind, of)
    path = shared.path / key
    if key:
        shared.judge.put(key, b"x", {"before": "1"})
        path.stat()
    else:
        shared.judge.set_bucket_tags({"before": "1"})
    lines = len(shared.log().splitlines())
    requests = shared.requests()
    assert attempt(os.fsencode(path), b"user.tag." + case.key, case.value) == expected
    if expected == OK:
        text = {case.key.decode(): case.value.decode()}
        assert tags_of(shared, key) == {"before": "1", **text}
        assert os.getxattr(path, b"user.tag." + case.key) == case.value
        return
    # What the stat before it looked at may still be under way.
    looks = {("HEAD", None), ("GET", "list")}
    assert {(row["method"], row["subresource"]) for row in requests.rows()} <= looks
    assert tags_of(shared, key) == {"before": "1"}
    reported = shared.log().splitlines()[lines:]
    assert any("setxattr(" in line and str(key or "/") in line for line in reported), reported


@pytest.mark.parametrize("of", ["object", "bucket"])
def test_one_tag_too_many(shared: Mounted, of: str) -> None:
    most = 10 if of == "object" else {"oss": 20, "obs": 10, "s3": 50}[shared.kind]
    key = "many" if of == "object" else ""
    path = shared.path / key
    if key:
        path.write_bytes(b"x")
    else:
        shared.judge.delete_bucket_tags()
    for number in range(most):
        os.setxattr(path, f"user.tag.{number}", b"v")
    assert attempt(os.fsencode(path), b"user.tag.another", b"v") == errno.ENOSPC
    os.setxattr(path, "user.tag.0", b"changed")
    assert tags_of(shared, key) == {str(n): "changed" if n == 0 else "v" for n in range(most)}


def test_keys_differ_by_case(shared: Mounted) -> None:
    (shared.path / "case").write_bytes(b"x")
    os.setxattr(shared.path / "case", "user.tag.Key", b"1")
    os.setxattr(shared.path / "case", "user.tag.key", b"2")
    assert shared.tags("case") == {"Key": "1", "key": "2"}


@pytest.mark.parametrize("text", [b"a=1&a=2", b"a=b=c", b"a=%zz", b"a=%ff", b"%2A=1", b"=v"])
def test_a_bad_set_changes_nothing(shared: Mounted, text: bytes) -> None:
    shared.judge.put("set", b"x", {"k": "v"})
    (shared.path / "set").stat()
    requests = shared.requests()
    assert attempt(os.fsencode(shared.path / "set"), b"user.tagging", text) == errno.EINVAL
    assert len(requests) == 0
    assert shared.tags("set") == {"k": "v"}


def test_a_name_that_the_kernel_cannot_carry(shared: Mounted) -> None:
    """Names longer than 255 bytes are hidden from listxattr, logged once, and reachable by
    user.tagging."""
    long = "中" * 128
    shared.judge.put("long", b"x", {long: "v", "short": "w"})
    assert os.listxattr(shared.path / "long") == ["user.tag.short"]
    assert os.listxattr(shared.path / "long") == ["user.tag.short"]
    assert shared.log().count("too long for the name") == 1
    whole = os.getxattr(shared.path / "long", "user.tagging")
    os.setxattr(shared.path / "long", "user.tagging", whole.replace(b"=v", b"=x"))
    assert shared.tags("long") == {long: "x", "short": "w"}


def test_removing_one_bucket_tag(shared: Mounted) -> None:
    shared.judge.set_bucket_tags({f"k{number}": "v" for number in range(3)})
    requests = shared.requests()
    os.removexattr(shared.path, "user.tag.k1")
    how = "DELETE" if shared.kind == "oss" else "PUT"
    assert requests.kinds() == {"GET tagging": 1, f"{how} tagging": 1}
    assert tags_of(shared, "") == {"k0": "v", "k2": "v"}
