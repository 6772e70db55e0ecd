"""The document that lists the annotations of an object."""

from dataclasses import dataclass

from tagfs.errors import MalformedResponse
from tagfs.store.wire.xml import fields_of, parse_document, parse_number


@dataclass(frozen=True, slots=True)
class AnnotationPage:
    """One answer: sizes by name, and where the next begins, None after the last."""

    sizes: dict[str, int]
    token: str | None


def parse_annotations(body: bytes) -> AnnotationPage:
    """Read one page of ListObjectAnnotations."""
    root = parse_document(body, "ListObjectAnnotationsOutput", "ListObjectAnnotationsResult")
    sizes: dict[str, int] = {}
    for element in root.iterfind("Annotations/AnnotationEntry"):
        fields = fields_of(element)
        name = fields.get("AnnotationName")
        if not name:
            raise MalformedResponse("an annotation without a name")
        sizes[name] = parse_number(fields.get("Size", "0"))
    return AnnotationPage(sizes, fields_of(root).get("NextContinuationToken") or None)
