"""The rights to write, tried on scratch objects that are removed whatever happens.

Nothing that exists is touched: names are drawn by lot and created with "only if it is not there"
where the service knows that.
"""

import secrets
import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

from tagfs.doctor.findings import Finding, Level, fail
from tagfs.doctor.read_checks import attempt
from tagfs.errors import AlreadyExists, NotFound, TagfsError
from tagfs.store.client.client import Client
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet

NAME = ".tagfs-doctor-"
_CONTENT = BytesSource(b"written by tagfs doctor, to be deleted at once\n")
_TAGS = TagSet({"tagfs-doctor": "scratch"})


def check_writing(client: Client, prefix: str) -> Generator[Finding, None, None]:
    """Yield what may be written. However the reader ends this generator, the objects go."""
    trial = _Trial(client, f"{prefix}{NAME}{secrets.token_hex(8)}")
    try:
        yield from trial.write()
    finally:
        with _uninterrupted():
            left = trial.clean()
    if left is not None:
        yield left


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until this is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    struck: list[int] = []
    before = {
        number: signal.signal(number, lambda struck_by, _: struck.append(struck_by))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    for late in struck:
        signal.raise_signal(late)


class _Trial:
    """Writes scratch objects, and knows which there may be."""

    def __init__(self, client: Client, key: str) -> None:
        self._client = client
        self._key = key
        self._made: list[str] = []

    def write(self) -> Iterator[Finding]:
        """Yield what may be written besides deleting."""
        service = self._client.dialect.service
        put = attempt(service, "put", lambda: self._put(self._key))
        yield put
        if put.level is not Level.OK:
            return  # the rest begins with this right
        delete = self._delete(self._key)
        if delete.level is not Level.OK:
            return  # nothing more is written, and the end tells what stays
        yield delete
        self._put(self._key)
        if self._client.capabilities.object_tags:
            yield attempt(service, "put tagging", self._tag)
        yield attempt(service, "copy", lambda: self._copy(self._name("-copy")))
        yield attempt(service, "multipart", lambda: self._upload(self._name("-parts")))
        if self._client.capabilities.symlinks:
            yield attempt(service, "symlink", lambda: self._link(self._name("-link")))

    def clean(self) -> Finding | None:
        """Delete everything that there may be; return what fails, if that matters."""
        failure, stays = None, []
        for key in dict.fromkeys(reversed(self._made)):
            tried = self._delete(key)
            failure = failure if tried.level is Level.OK else tried
            if not self._is_gone(key):
                stays.append(key)
            else:
                self._purge(key)
        if not stays:
            return None
        detail = failure.detail if failure else "given, but what is deleted is there still"
        advice = f"{failure.advice}; " if failure else ""
        return fail("right to delete", detail, f"{advice}delete {', '.join(stays)}")

    def _delete(self, key: str) -> Finding:
        service = self._client.dialect.service
        return attempt(service, "delete", lambda: self._client.delete(key))

    def _purge(self, key: str) -> None:
        """Let no hidden version stay, where versions are kept and that is allowed."""
        with suppress(TagfsError):
            self._client.versions.purge(key)

    def _name(self, suffix: str) -> str:
        return self._key + suffix

    @contextmanager
    def _making(self, key: str) -> Iterator[None]:
        """Note that a key is ours from now on, for an answer may be lost, unless it is taken."""
        self._made.append(key)
        try:
            yield
        except AlreadyExists:
            self._made.remove(key)
            raise

    def _put(self, key: str) -> None:
        with self._making(key):
            self._client.put(key, _CONTENT, NewObject(exclusive=True))

    def _tag(self) -> None:
        self._client.put_tags(self._key, _TAGS)

    def _copy(self, key: str) -> None:
        source = self._client.head(self._key)
        with self._making(key):
            self._client.copy(source, key, exclusive=True)

    def _upload(self, key: str) -> None:
        self._made.append(key)
        upload = self._client.start_upload(key, NewObject())
        try:
            part = self._client.upload_part(upload, 1, _CONTENT)
            self._client.complete_upload(upload, [part])
        except BaseException:
            self._client.abort_upload(upload)
            raise

    def _link(self, key: str) -> None:
        with self._making(key):
            self._client.put_symlink(key, self._key, NewObject(exclusive=True))

    def _is_gone(self, key: str) -> bool:
        try:
            self._client.head(key)
        except NotFound:
            return True
        except TagfsError:
            return False
        return False
