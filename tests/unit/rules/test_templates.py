"""Values that are filled in when a file is made."""

import socket

import pytest

from tagfs.rules.templates import FIELDS, Creation, Template

MADE = Creation(
    key="scans/2026/a.b.TIF", uid=4_000_000_001, gid=4_000_000_002, now_ns=1795858242 * 10**9
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("blue", "blue"),
        ("", ""),
        ("{user}:{group}", "4000000001:4000000002"),
        ("{uid}/{gid}", "4000000001/4000000002"),
        ("{date}", "2026-11-28"),
        ("{time}", "09:30:42"),
        ("{year}-{month}-{day}", "2026-11-28"),
        ("{name} {stem} {ext} {dir}", "a.b.TIF a.b tif 2026"),
        ("{{user}} {ext}", "{user} tif"),
        ("{host}", socket.gethostname()),
    ],
)
def test_fields_are_filled_in(text: str, value: str) -> None:
    template = Template.parse(text)
    assert template.render(MADE) == value
    assert template.may_give(value)
    assert template.literal == (value if "{" not in text else None) or "{{" in text


@pytest.mark.parametrize(
    ("key", "name"), [("a", ("a", "a", "", "")), (".bashrc", (".bashrc", ".bashrc", "", ""))]
)
def test_names_without_an_ending(key: str, name: tuple[str, ...]) -> None:
    made = Creation(key=key, uid=0, gid=0, now_ns=0)
    assert tuple(FIELDS[field](made) for field in ("name", "stem", "ext", "dir")) == name


def test_a_user_with_a_name() -> None:
    assert Template.parse("{user}").render(Creation(key="a", uid=0, gid=0, now_ns=0)) == "root"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{usr}", "did you mean {user}?"),
        ("{zzzz}", "there are user, group"),
        ("{}", "unknown field {}"),
        ("a{", "write {{ for a plain {"),
        ("a}b", "write }} for a plain }"),
    ],
)
def test_slips_are_named(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"field|plain") as caught:
        Template.parse(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value", "given"),
    [
        ("{date}", "2020-01-01", True),  # of another day
        ("{date}", "yesterday", False),
        ("by {user}", "by anna", True),
        ("by {user}", "for anna", False),
        ("blue", "blue", True),
        ("blue", "red", False),
    ],
)
def test_what_a_template_may_have_given(text: str, value: str, *, given: bool) -> None:
    assert Template.parse(text).may_give(value) is given
