"""What a mount says when it starts: that something of its bucket waits for `tagfs recover`."""

from tagfs.config.settings import Settings
from tagfs.errors import SettingsError
from tagfs.recovery.abandoned import AbandonedDirectory, find
from tagfs.terminal.format import count_text


def notice(settings: Settings) -> str | None:
    """Return one line if a mount of the same bucket left something that is not finished."""
    files = renames = annotated = unfinished = 0
    try:
        for found in find(settings.cache_dir):
            if not isinstance(found, AbandonedDirectory):
                continue
            with found as directory:
                if not _is_of(directory, settings):
                    continue
                contents = directory.contents()
                files += sum(staged.is_promised and not staged.settled for staged in contents.files)
                unfinished += sum(
                    not staged.is_promised and not staged.settled for staged in contents.files
                )
                renames += len(contents.renames)
                annotated += len(contents.annotations)
                unfinished += len(contents.problems)
    except SettingsError:
        return None  # the mount itself will say it
    parts = [
        count_text(count, what)
        for count, what in (
            (files, "file"),
            (renames, "directory rename"),
            (annotated, "file of annotations"),
            (unfinished, "unfinished file"),
        )
        if count
    ]
    if not parts:
        return None
    return (
        f"an earlier mount of {settings.url.bucket!r} left {', '.join(parts)}:"
        f" run `tagfs recover {settings.cache_dir}`"
    )


def _is_of(directory: AbandonedDirectory, settings: Settings) -> bool:
    url = f"{settings.url.service}://{settings.url.bucket}/"
    return directory.record is not None and directory.record.url.startswith(url)
