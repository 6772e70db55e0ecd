"""Regular expressions: which can be run at all, and which answer at once whoever wrote them."""

import time

import pytest

from tagfs.catalogue.expression import MAX_TESTS, parse_expression
from tagfs.catalogue.regex import compile_regex, is_cheap
from tagfs.errors import SettingsError

WORST = ("a" * 255 + "b", "ab" * 128, "a" * 256, "-" * 256)


@pytest.mark.parametrize(
    "text",
    [
        *("(", "a{2,1}", "[z-a]", "(?P<x>a)(?P<x>b)"),
        *("a{99999999999}", "a{1000}", "(){4000000000}", "a{2,4294967294}", "(?:a|(?:b){999})"),
        "(" * 3000 + ")" * 3000,
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        compile_regex(text)
    with pytest.raises(SettingsError):
        parse_expression(f"k~'{text}'")


@pytest.mark.parametrize(
    "text",
    [
        *("", "blue", "^blue$", "^(blue|red)$", "bl.e", "^b", r"^\d{4}-\d{2}-\d{2}$", "[a-z]+"),
        *("^[a-z]+-[0-9]+-[a-z]+", "(foo|bar)?", "a*b", "(?i)blue", "^(ab)+$", "x{256}", "(?=a)a"),
        *(r"^(?P<x>a)\1", "(a)?(?(1)b|c)", "^(?>a+)b", "^a++b"),
    ],
)
def test_cheap(text: str) -> None:
    compiled = compile_regex(text)
    assert is_cheap(text)
    began = time.process_time()
    for value in WORST:
        compiled.search(value)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text",
    [
        *("(a+)+$", "(a|aa)+$", "^(a*)*b", "a?" * 30 + "a" * 30, "(a|a)" * 30, "^(a+){10}$"),
        *(".*.*.*", "^.*.*.*.*x", "(a{1,9}){9}", "(?:a?){256}", "(?=(a+)+b)", "(?>(a+)+b)"),
        "(?:(?:){256}){256}(?:(?:){256}){256}",
    ],
)
def test_costly(text: str) -> None:
    compile_regex(text)
    assert not is_cheap(text)
    parse_expression(f"k~'{text}'")
    with pytest.raises(SettingsError, match="may take long"):
        parse_expression(f"a and k~'{text}'", cheap=True)


def test_an_expression_has_no_more_conditions_than_can_be_gone_through() -> None:
    longest = parse_expression(" and ".join(["a"] * MAX_TESTS))
    assert parse_expression(str(parse_expression("a and b or not c"))).matches({"a": "", "b": ""})
    assert longest.matches({"a": ""})
    with pytest.raises(SettingsError, match="conditions"):
        parse_expression(" or ".join(["a"] * (MAX_TESTS + 1)))
