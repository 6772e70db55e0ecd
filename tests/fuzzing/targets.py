"""The table: each target reads bytes and holds what it promises of any.

A value, which is the same when it is written and read again, or an error that is documented. Never
another exception, and never much time or memory, which who feeds a target looks after.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tagfs.errors import TagfsError
from tests.fuzzing import files, names, wire

Check = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        check: reads; what it raises beyond `errors` is a defect.
        seeds: what it likes to read; all that is tried begins from these.
        errors: what it may raise.
    """

    check: Check
    seeds: tuple[bytes, ...]
    errors: tuple[type[Exception], ...] = (TagfsError,)

    def __call__(self, data: bytes) -> None:
        try:
            self.check(data)
        except self.errors:
            return


TARGETS: dict[str, Target] = {
    "head": Target(wire.head, wire.HEADS, wire.HTTP),
    "document": Target(wire.document, wire.DOCUMENTS),
    "error": Target(wire.error, wire.DOCUMENTS),
    "object": Target(wire.found_object, wire.OBJECTS, wire.HTTP),
    "tagging": Target(names.tagging, names.TAGGINGS),
    "tag escape": Target(names.tag_escape, names.TAGGINGS),
    "xattrs": Target(names.xattrs, names.XATTRS),
    "labels": Target(names.labels, names.LABELS),
    "attributes": Target(names.attributes, names.ATTRIBUTES),
    "link": Target(names.link, names.LINKS),
    "expression": Target(names.expression, names.EXPRESSIONS),
    "view": Target(names.view, names.VIEWS),
    "glob": Target(names.glob, names.GLOBS),
    "options": Target(names.options, names.OPTIONS),
    "url": Target(names.url, names.URLS),
    "journal": Target(files.journal, files.JOURNALS, files.DAMAGED),
    "record": Target(files.record, files.RECORDS),
    "annotations": Target(files.annotations, files.ANNOTATIONS, files.DAMAGED),
    "rules": Target(files.rules, files.RULES),
    "settings": Target(files.settings, files.SETTINGS),
    "key pair": Target(files.key_pair, files.KEY_PAIRS),
    "csv": Target(files.csv, files.CSVS),
    "dump": Target(files.dump, files.DUMPS),
    "audit": Target(files.audit, files.AUDITS),
    "progress": Target(files.progress, files.PROGRESS),
    "detail": Target(files.detail, files.DETAILS, files.DAMAGED),
    "catalogue": Target(files.catalogue, files.CATALOGUES),
}
