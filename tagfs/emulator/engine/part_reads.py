"""Single parts of what was uploaded in parts, as S3 shows them: GET and HEAD ?partNumber."""

from itertools import accumulate

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.uncopied import HIDDEN
from tagfs.emulator.storage.records import ObjectRecord, PartRecord

SIZES = f"{HIDDEN}part-sizes"


def with_sizes(context: Context, headers: dict[str, str], used: list[PartRecord]) -> dict[str, str]:
    """Return the headers of a new object, with the sizes of its parts where these can be read."""
    if not context.dialect.part_reads:
        return headers
    return {**headers, SIZES: ",".join(str(part.size) for part in used)}


def sizes_of(record: ObjectRecord) -> list[int]:
    """Return the sizes of an object's parts; none if it was not uploaded in parts."""
    return [int(size) for size in record.attributes.headers.get(SIZES, "").split(",") if size]


def chosen_part(context: Context, record: ObjectRecord) -> tuple[int, int] | None:
    """Return where the part begins that is asked for, and its length; None: none is asked for.

    Raises:
        ServiceError: there is none of that number, or a range is asked for as well.
    """
    text = context.parameter("partNumber")
    if text is None or not context.dialect.part_reads:
        return None
    if context.header("Range") is not None:
        message = "Cannot specify both Range header and partNumber query parameter"
        raise ServiceError("InvalidRequest", message)
    if not text.isdecimal() or int(text) == 0:
        message = "Part number must be an integer between 1 and 10000, inclusive"
        raise ServiceError("InvalidArgument", message)
    sizes, number = sizes_of(record) or [record.size], int(text)
    if number > len(sizes):
        raise ServiceError(context.dialect.part_reads)
    return [0, *accumulate(sizes)][number - 1], sizes[number - 1]


def count_header(record: ObjectRecord) -> dict[str, str]:
    """Return the header that tells how many parts an object has, if it has any."""
    sizes = sizes_of(record)
    return {"x-amz-mp-parts-count": str(len(sizes))} if sizes else {}


def check_size(context: Context, size: int) -> None:
    """Compare what the end of an upload says of its size.

    Raises:
        ServiceError: it is another.
    """
    said = context.header("x-amz-mp-object-size") if context.dialect.part_reads else None
    if said is not None and said != str(size):
        message = "The provided x-amz-mp-object-size does not match the size of the object."
        raise ServiceError("InvalidRequest", message)
