"""How S3, and after it OBS, refuse tags."""

from tagfs.emulator.engine.tags import Refused

_HEADER = Refused(
    "InvalidArgument",
    "The tagging header shall be encoded as UTF-8 then URLEncoded URL query parameters "
    "without tag name duplicates.",
)


def refusals(
    count: int, *, invalid: str = "InvalidTag", too_many: str = "InvalidTag"
) -> dict[str, Refused]:
    """Return the refusals by reason, with the codes of wrong tags and of too many."""
    bad_key = Refused(invalid, "The TagKey you have provided is invalid.")
    bad_value = Refused(invalid, "The TagValue you have provided is invalid.")
    return {
        "count": Refused(too_many, f"Tags cannot be more than {count}."),
        "key": bad_key,
        "key symbols": bad_key,
        "value": bad_value,
        "value symbols": bad_value,
        "reserved": Refused(invalid, "System tags cannot be added or updated by requester."),
        "repeated": Refused(invalid, "Cannot provide multiple Tags with the same key."),
        "form": _HEADER,
        "text": _HEADER,
        "twice": _HEADER,
    }
