"""Mount an object-storage bucket and edit its tags as extended attributes.

    import tagfs

    with tagfs.Bucket("oss://photos", region="cn-hangzhou") as bucket:
        bucket.edit_tags("report.pdf", {"team": "blue"})

The names below are loaded when they are used, for commands do without them.
"""

TYPE_CHECKING = False  # as in typing, whose import takes longer than all that a process begins with
if TYPE_CHECKING:
    from tagfs.api import Bucket, ObjectFacts, ObjectTags

__version__ = "0.1.0"
__all__ = ["Bucket", "ObjectFacts", "ObjectTags", "__version__"]


def __getattr__(name: str) -> object:
    """Load what is public.

    Raises:
        AttributeError
    """
    if name in __all__:
        from tagfs import api  # noqa: PLC0415

        return getattr(api, name)
    raise AttributeError(f"module 'tagfs' has no attribute {name!r}")
