"""Annotations kept over a rewrite: read before it, and set again after it.

No request carries them along but a copy. So a rewrite asks what there is, beside what it asks
anyway, saves it on this host's disk, and sets it when the new version is there, on condition that
it still is. What cannot be set again stays on the disk for `tagfs recover`.
"""

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Final

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    IntegrityError,
    Interrupted,
    MalformedResponse,
    NoSuchTag,
    NotFound,
    ObjectChanged,
    TagfsError,
    Unreachable,
    Unsupported,
)
from tagfs.store.client.annotations.file import AnnotationFile, AnnotationWriter
from tagfs.store.client.annotations.notes import AnnotationNotes, KeptAnnotations, Names
from tagfs.store.client.annotations.requests import AnnotationRequests
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import NewObject, ObjectInfo

_NONE: Final[Names] = {}
_UNSURE: Final = (IntegrityError, Interrupted, MalformedResponse, Unreachable)  # it may be there
_AT_ONCE = 16  # annotations: up to 1 MiB each are in memory


class AnnotationTransfer:
    """Keeps annotations over rewrites.

    Attributes:
        directory: where they are saved; None: in a file without a name.
        forget, forget_below: note that what is at a key, or below one, may have some by now.
    """

    def __init__(
        self,
        context: ClientContext,
        requests: AnnotationRequests,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.directory: Path | None = None
        self._api = context.api
        self._pool = context.pool
        self._requests = requests
        self._notes = notes = AnnotationNotes(clock)
        self.forget, self.forget_below = notes.forget, notes.forget_below

    @contextmanager
    def forgetting(self, key: str) -> Iterator[None]:
        """Let nothing that is asked of `key` before an edit is over outlive it."""
        self.forget(key)
        try:
            yield
        finally:
            self.forget(key)

    # Before

    def ask_ahead(self, key: str, new: NewObject) -> None:
        """Begin to ask what new content at `key` keeps, while its parts are under way.

        The key's lock is not held: the answer serves `keeping`, for a moment, unless something is
        annotated here before.
        """
        wanted = self._wanted(key, new)
        if wanted:
            ask = functools.partial(self._names, wanted[0], remembers=False)
            self._notes.ask_ahead(wanted[0], lambda: self._pool.submit(ask))

    def _wanted(self, key: str, new: NewObject) -> list[str]:
        keys = new.annotations_of or ((key,) if new.keeps_replaced else ())
        return [each for each in keys if self._is_asked(each)]

    def keeping(self, key: str, new: NewObject) -> AbstractContextManager[KeptAnnotations]:
        """Begin to ask what new content at `key` keeps; where it fails, see what becomes of it."""
        wanted = self._wanted(key, new)
        return self._keeping(key, wanted) if wanted else nullcontext(KeptAnnotations(list))

    @contextmanager
    def _keeping(self, key: str, wanted: list[str]) -> Iterator[KeptAnnotations]:
        asked = self._notes.take_ahead(wanted[0]) or self._pool.submit(self._names, wanted[0])
        kept = KeptAnnotations(functools.partial(self._save, key, wanted, asked))
        with self._watched(key, kept):
            yield kept

    @contextmanager
    def left_to_copy(self, source: str, key: str, left: Sequence[str]) -> Iterator[KeptAnnotations]:
        """Do the same for a copy: it takes its source's along, or gets what is `left` to it."""
        wanted = [each for each in left if self._is_asked(each)]
        if not wanted:
            yield KeptAnnotations()
            return
        asked = self._pool.submit(self._names, wanted[0])

        def collect() -> list[AnnotationFile]:
            kept = asked.result() and not self._names(source)
            return self._save(key, wanted[:1], asked) if kept else []

        kept = KeptAnnotations(collect)
        with self._watched(key, kept):
            yield kept

    @contextmanager
    def _watched(self, key: str, kept: KeptAnnotations) -> Iterator[None]:
        """Delete what was saved if the object surely has it still, else keep it for later."""
        try:
            yield
        except BaseException as failure:
            unchanged = isinstance(failure, TagfsError) and not isinstance(failure, _UNSURE)
            if unchanged and not kept.replaced:
                for saved in kept.files:
                    saved.remove()
            elif kept.files:
                self._notes.note_late(key, kept.files)
            raise

    def _is_asked(self, key: str) -> bool:
        if not self._requests.may_be_there or self._notes.is_unreadable(key):
            return False
        return not self._notes.is_bare(key)

    def _names(self, key: str, *, remembers: bool = True) -> Names:
        """Return what is at a key; nothing where it may not be known, and the log says so once."""
        try:
            names = self._requests.list(key)
        except (NotFound, Unsupported):
            return _NONE
        except BadCredentials:
            raise
        except AccessDenied as denied:
            self._notes.note_unread(key)
            self._say("read", "ListObjectAnnotations and GetObjectAnnotation", denied)
            return _NONE
        self._notes.note_read(key)
        if remembers and not names:
            self._notes.note_bare(key)
        return names

    def _save(self, to: str, keys: list[str], asked: Future[Names]) -> list[AnnotationFile]:
        """Save what the first of some keys has that has any, for the key `to`."""
        for number, key in enumerate(keys):
            names = self._names(key) if number else asked.result()
            saved = self._missing(key, names) + ([self._saved(to, key, names)] if names else [])
            if saved:
                return saved
        return []

    def _missing(self, key: str, names: Names) -> list[AnnotationFile]:
        """Return what an earlier rewrite by this process could not set again, and is not there."""
        late = self._notes.take_late(key)
        missing = [saved for saved in late if not names.keys() >= saved.places.keys()]
        for saved in [one for one in late if one not in missing]:
            saved.remove()
        return missing

    def _saved(self, to: str, key: str, names: Names) -> AnnotationFile:
        writer = AnnotationWriter(self.directory, to)
        try:
            for start in range(0, len(names), _AT_ONCE):
                some = list(names)[start : start + _AT_ONCE]
                read = [self._pool.submit(self._requests.get, key, name) for name in some]
                for name, data in zip(some, read, strict=True):
                    self._add(writer, name, data)
            return writer.finish()
        except BaseException:
            writer.discard()
            raise

    def _add(self, writer: AnnotationWriter, name: str, data: Future[bytes]) -> None:
        try:
            writer.add(name, data.result())
        except (NoSuchTag, NotFound):
            pass  # it was just removed
        except BadCredentials:
            raise
        except AccessDenied as denied:
            self._say("read", "GetObjectAnnotation", denied)

    # After

    def deliver(self, kept: KeptAnnotations, made: ObjectInfo) -> None:
        """Set what was kept on the version that was just made; the key's lock is held.

        Raises:
            TagfsError: some could not be set. They are still saved, and the next rewrite by this
                process sets them; else `tagfs recover` does.
        """
        if kept.is_copy or kept.files:
            self.forget(made.key)
        while kept.files:
            try:
                self.set_saved(kept.files[0], made)
            except BadCredentials:
                raise
            except AccessDenied as denied:
                self._leave(kept.files[0], denied)
            except TagfsError as failure:
                message = "%r was written without its annotations: %s"
                logger.error(message, made.key, failure)
                raise
            else:
                kept.files[0].remove()
            kept.files.pop(0)

    def set_missing(self, saved: AnnotationFile, present: ObjectInfo) -> int:
        """Set those of a file that a version of an object has not; return how many.

        Raises:
            TagfsError
        """
        names = self._requests.list(present.key)
        missing = [name for name in saved.places if name not in names]
        self.set_saved(saved, present, missing)
        return len(missing)

    def set_saved(
        self, saved: AnnotationFile, made: ObjectInfo, names: Sequence[str] | None = None
    ) -> None:
        """Set annotations of a file (all) on one version of an object, if that is still there.

        Raises:
            TagfsError
        """
        every = list(saved.places) if names is None else names
        try:
            for start in range(0, len(every), _AT_ONCE):
                running = [
                    self._pool.submit(self._set_one, saved, name, made)
                    for name in every[start : start + _AT_ONCE]
                ]
                failures = [task.exception() for task in running]
                for failure in failures:
                    if failure is not None:
                        raise failure
        except (ObjectChanged, NotFound) as failure:
            logger.info("%r has been replaced since: %s", made.key, failure)

    def _set_one(self, saved: AnnotationFile, name: str, made: ObjectInfo) -> None:
        self._requests.put(made.key, name, saved.read(name), etag=made.etag)

    def _leave(self, saved: AnnotationFile, denied: AccessDenied) -> None:
        saved.close()
        self._say("set", "PutObjectAnnotation", denied)
        if saved.path is not None:
            logger.warning(
                "annotations of %r are kept in %s: `tagfs recover` sets them, once it may",
                saved.key,
                saved.path,
            )

    # Copies

    def send_copy(self, request: Request, send: Callable[[Request], Response]) -> Response:
        """Deliver a copy; if it is annotations that may not be copied, without them.

        Raises:
            AccessDenied: nor may it be without.
        """
        try:
            return send(request)
        except BadCredentials:
            raise
        except AccessDenied as refusal:
            if not self._requests.go_with_copies:
                raise
            denied = refusal
        directive = {self._api.header("object-annotation-directive"): "EXCLUDE"}
        try:
            answer = send(replace(request, headers={**request.headers, **directive}))
        except AccessDenied:
            raise denied from None
        self._say("copied", "GetObjectAnnotation and PutObjectAnnotation", denied)
        return answer

    def _say(self, what: str, rights: str, denied: object) -> None:
        if self._notes.is_unsaid(what):
            logger.warning(
                "bucket %r: annotations may not be %s, and rewritten objects lose theirs: allow "
                "%s, or mount with annotations=off (%s)",
                self._api.name,
                what,
                rights,
                denied,
            )
