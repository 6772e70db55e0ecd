"""Annotations that a rewrite had taken and could not set again: the object gets what it lacks."""

import os

from tagfs.errors import NotFound, TagfsError
from tagfs.localfiles.private import UnsafeFile, open_file
from tagfs.recovery.abandoned import AbandonedDirectory
from tagfs.recovery.left_files import Contents
from tagfs.recovery.run import RecoveryRun, bucket_name
from tagfs.store.client.annotations.file import AnnotationFile, DamagedFile, read_annotations
from tagfs.store.client.client import Client
from tagfs.terminal.format import count_text, shown


def set_annotations(
    sweep: RecoveryRun, directory: AbandonedDirectory, bucket: Client, contents: Contents
) -> None:
    """Set what objects lack; an annotation that is there is newer, and stays.

    Staged files were finished before: their uploads have taken along what was there.
    """
    for name in contents.annotations:
        try:
            saved = _opened(directory, name)
        except FileNotFoundError:
            continue  # another process has just finished it
        except (UnsafeFile, DamagedFile) as damage:
            sweep.problem(f"{directory.path / name}: left alone: {damage}", "damaged")
            continue
        try:
            _set(sweep, directory, bucket, saved)
        finally:
            saved.close()


def _opened(directory: AbandonedDirectory, name: str) -> AnnotationFile:
    return read_annotations(directory.path / name, open_file(directory.fd, name, os.O_RDONLY))


def _set(
    sweep: RecoveryRun, directory: AbandonedDirectory, bucket: Client, saved: AnnotationFile
) -> None:
    whose = f"{bucket_name(directory)}/{shown(saved.key)}"
    try:
        count = bucket.set_saved_annotations(saved)
    except NotFound:
        saved.remove()
        sweep.output.say(f"dropped: annotations of {whose}: it is not there any more")
        return
    except TagfsError as error:
        sweep.problem(f"failed: annotations of {whose}: {error}; kept", "failed")
        return
    saved.remove()
    if count:
        sweep.count("recovered")
        sweep.output.say(f"recovered: {whose}: {count_text(count, 'annotation')}")
