"""Tag rules, rule by rule, for objects and the bucket: errno, log line, requests, and the set."""

import errno
import os
from dataclasses import dataclass

import oss2
import pytest

from tests.emulated import Emulator
from tests.mounting import Mounted, mounted

OK = 0


@dataclass(frozen=True)
class Case:
    name: str
    key: bytes
    value: bytes
    object: int
    bucket: int


CASES = [
    Case("plain", b"team", b"blue", OK, OK),
    Case("empty value", b"k", b"", OK, OK),
    Case("empty key", b"", b"v", errno.EINVAL, errno.EINVAL),
    Case("allowed symbols", b"+-=._:/", b"+-=._:/", OK, OK),
    Case("blanks at the edges", b" k ", b" v ", OK, OK),
    Case("equals", b"a=b", b"c=d", OK, OK),
    Case("slash and plus", b"a/b+c", b"+/", OK, OK),
    Case("percent in the key", b"a%b", b"v", errno.EINVAL, OK),
    Case("percent in the value", b"k", b"100%", errno.EINVAL, OK),
    Case("comma", b"a,b", b"v", errno.EINVAL, OK),
    Case("ampersand", b"a&b", b"v", errno.EINVAL, OK),
    Case("quote", b"k", b'"', errno.EINVAL, OK),
    Case("angle brackets", b"<k>", b"v", errno.EINVAL, OK),
    Case("Chinese", "部门".encode(), "市场".encode(), OK, OK),
    Case("emoji", b"k", "🎈".encode(), errno.EINVAL, OK),
    Case("not UTF-8", b"k", b"\xff\xfe", errno.EINVAL, errno.EINVAL),
    Case("key not UTF-8", b"\xff", b"v", errno.EINVAL, errno.EINVAL),
    Case("NUL in the value", b"k", b"a\0b", errno.EINVAL, errno.EINVAL),
    Case("newline in the value", b"k", b"a\nb", errno.EINVAL, errno.EINVAL),
    Case("key of 128", b"k" * 128, b"v", OK, errno.ERANGE),
    Case("key of 129", b"k" * 129, b"v", errno.ERANGE, errno.ERANGE),
    Case("key of 64", b"k" * 64, b"v", OK, OK),
    Case("value of 256", b"k", b"v" * 256, OK, errno.E2BIG),
    Case("value of 257", b"k", b"v" * 257, errno.E2BIG, errno.E2BIG),
    Case("value of 128", b"k", b"v" * 128, OK, OK),
    Case("43 Chinese", b"k", "中".encode() * 43, OK, errno.E2BIG),
    Case("reserved acs:", b"ACS:x", b"v", OK, errno.EINVAL),
    Case("reserved http://", b"http://x", b"v", OK, errno.EINVAL),
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
    if key:
        return shared.tags(key)
    return dict(shared.sdk.get_bucket_tagging().tag_set.tagging_rule)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("of", ["object", "bucket"])
def test_rule(shared: Mounted, case: Case, of: str) -> None:
    """G8. What the service would refuse is refused before any request, with a log line that names
    the object and the rule. A refused edit leaves the tag set as it was."""
    key = f"object {CASES.index(case)}" if of == "object" else ""
    expected = case.object if of == "object" else case.bucket
    path = shared.path / key
    rule = oss2.models.TaggingRule()
    rule.add("before", "1")
    if key:
        shared.sdk.put_object(key, b"x")
        shared.sdk.put_object_tagging(key, oss2.models.Tagging(rule))
        path.stat()
    else:
        shared.sdk.put_bucket_tagging(oss2.models.Tagging(rule))
    lines = len(shared.log().splitlines())
    requests = shared.requests()
    assert attempt(os.fsencode(path), b"user.tag." + case.key, case.value) == expected
    if expected == OK:
        text = {case.key.decode(): case.value.decode()}
        assert tags_of(shared, key) == {"before": "1", **text}
        assert os.getxattr(path, b"user.tag." + case.key) == case.value
        return
    assert len(requests) == 0
    assert tags_of(shared, key) == {"before": "1"}
    told = shared.log().splitlines()[lines:]
    assert any("refused" in line and str(key or "/") in line for line in told), told


@pytest.mark.parametrize(("of", "most"), [("object", 10), ("bucket", 20)])
def test_one_tag_too_many(shared: Mounted, of: str, most: int) -> None:
    key = "many" if of == "object" else ""
    path = shared.path / key
    if key:
        path.write_bytes(b"x")
    else:
        shared.sdk.delete_bucket_tagging()
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


@pytest.mark.parametrize("text", [b"a=1&a=2", b"a=b=c", b"a=%zz", b"a=%ff", b"%21=1", b"=v"])
def test_a_bad_set_changes_nothing(shared: Mounted, text: bytes) -> None:
    shared.sdk.put_object("set", b"x", headers={"x-oss-tagging": "k=v"})
    (shared.path / "set").stat()
    requests = shared.requests()
    assert attempt(os.fsencode(shared.path / "set"), b"user.tagging", text) == errno.EINVAL
    assert len(requests) == 0
    assert shared.tags("set") == {"k": "v"}


def test_a_name_that_the_kernel_cannot_carry(shared: Mounted) -> None:
    """Names longer than 255 bytes are hidden from listxattr, logged once, and reachable by
    user.tagging."""
    long = "中" * 128
    rule = oss2.models.TaggingRule()
    rule.add(long, "v")
    rule.add("short", "w")
    shared.sdk.put_object("long", b"x")
    shared.sdk.put_object_tagging("long", oss2.models.Tagging(rule))
    assert os.listxattr(shared.path / "long") == ["user.tag.short"]
    assert os.listxattr(shared.path / "long") == ["user.tag.short"]
    assert shared.log().count("too long for the name") == 1
    whole = os.getxattr(shared.path / "long", "user.tagging")
    os.setxattr(shared.path / "long", "user.tagging", whole.replace(b"=v", b"=x"))
    assert shared.tags("long") == {long: "x", "short": "w"}


def test_removing_one_bucket_tag(shared: Mounted) -> None:
    rule = oss2.models.TaggingRule()
    for number in range(3):
        rule.add(f"k{number}", "v")
    shared.sdk.put_bucket_tagging(oss2.models.Tagging(rule))
    requests = shared.requests()
    os.removexattr(shared.path, "user.tag.k1")
    assert requests.kinds() == {"GET tagging": 1, "DELETE tagging": 1}
    assert tags_of(shared, "") == {"k0": "v", "k2": "v"}
