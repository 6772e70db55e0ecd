"""The tags of OSS: the rules for objects and for buckets, and how it refuses them.

Lengths of object tags count characters, as the pages of 2022 and later say, those of bucket tags
bytes; "letters" are all Unicode letters, as the vendor's live tests show.
"""

from tagfs.emulator.engine.tags import Refused, TagRules

_SYMBOLS = frozenset(" +-=._:/")
_BAD_HEADER = "The x-oss-tagging header is invalid."


def _refusals(count: int) -> dict[str, Refused]:
    return {
        "count": Refused("TooManyTags", f"The number of tags is over {count}."),
        "key": Refused("InvalidTag", ec="0010-00000209"),
        "key symbols": Refused("InvalidTag", ec="0010-00000217"),
        "value": Refused("InvalidTag", ec="0010-00000214"),
        "value symbols": Refused("InvalidTag", ec="0010-00000217"),
        "reserved": Refused("InvalidTag", ec="0010-00000207"),
        "repeated": Refused("RepeatedTags"),
        "form": Refused("InvalidArgument", _BAD_HEADER, "0010-00000219"),
        "text": Refused("InvalidArgument", _BAD_HEADER, "0010-00000216"),
        "twice": Refused("InvalidArgument", _BAD_HEADER, "0010-00000217"),
    }


def _is_plain(text: str) -> bool:
    return all(letter.isalnum() or letter in _SYMBOLS for letter in text)


OBJECT_TAGS = TagRules(
    count=10,
    key=128,
    value=256,
    fits=_is_plain,
    needs_values=False,
    plus_is_space=False,
    names_tag=True,
    refusals=_refusals(10),
)
BUCKET_TAGS = TagRules(
    count=20,
    key=64,
    value=128,
    measure=lambda text: len(text.encode("utf-8", "surrogateescape")),
    fits=lambda _: True,
    reserved=("http://", "https://", "aliyun", "acs:"),
    needs_values=False,
    names_tag=True,
    refusals=_refusals(20),
)
