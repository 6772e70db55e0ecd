"""Words of the command line: tags first, as env(1) takes assignments, then targets.

Pure, but for `exists`, which says whether a word is also the name of a file here.
"""

from collections.abc import Callable, Sequence

from tagfs.errors import InvalidTag, SettingsError
from tagfs.store.tags import TagSet, parse_tagging


def split_tags(
    words: Sequence[str], exists: Callable[[str], bool]
) -> tuple[TagSet, tuple[str, ...]]:
    """Take the leading words `key=value`; what follows are targets, whatever they look like.

    Raises:
        SettingsError: a key twice, or a word that might be either.
    """
    tags: dict[str, str] = {}
    for position, word in enumerate(words):
        if not _is_tag(word):
            return TagSet(tags), tuple(words[position:])
        if exists(word):
            raise SettingsError(
                f"{word!r} is also a path here: write './{word}' for the path, or "
                f"--tagging '{word}' for the tag"
            )
        key, _, value = word.partition("=")
        if key in tags:
            raise SettingsError(f"tag key {key!r} comes twice")
        tags[key] = value
    return TagSet(tags), ()


def _is_tag(word: str) -> bool:
    key, equals, _ = word.partition("=")
    return bool(equals) and "://" not in key and not key.startswith(("/", "./", "../"))


def add_tagging(tags: TagSet, tagging: str | None) -> TagSet:
    """Return a tag set with what `--tagging` adds to it.

    Raises:
        SettingsError: not of the form `k1=v1&k2=v2`.
    """
    if tagging is None:
        return tags
    try:
        return TagSet({**tags, **parse_tagging(tagging)})
    except InvalidTag as error:
        raise SettingsError(f"--tagging {tagging}: {error}") from None


def split_keys(words: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take the first word, `key[,key...]`; what follows are targets.

    Raises:
        SettingsError: it is no list of keys.
    """
    if not words:
        raise SettingsError("which tags? tagfs tag rm KEY[,KEY...] TARGET...")
    keys = tuple(words[0].split(","))
    if not all(keys):
        raise SettingsError(f"{words[0]!r}: write KEY[,KEY...], with no blank and no empty key")
    if "://" in words[0] or words[0].startswith(("/", "./", "../")):
        raise SettingsError(f"{words[0]!r} is a target: write tagfs tag rm KEY[,KEY...] TARGET...")
    return keys, tuple(words[1:])
