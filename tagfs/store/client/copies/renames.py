"""Renames made by the service, which parallel file systems have."""

from tagfs.errors import InvalidRequest, NotFound
from tagfs.store.client.acls.object_acls import ObjectAcls
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.error_codes import to_exception
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.http.messages import Request
from tagfs.store.objects import ObjectInfo
from tagfs.store.versions import is_version


class ObjectRenames:
    """RenameObject; see `ObjectWrites` for what the method promises."""

    def __init__(self, context: ClientContext, heads: ObjectHeads, acls: ObjectAcls) -> None:
        self._api = context.api
        self._features = context.features
        self._locks = context.locks
        self._heads = heads
        self._acls = acls

    def rename(self, key: str, new: str, *, source: ObjectInfo | None = None) -> None:
        """Rename a file or a directory; see `ObjectWrites.rename`.

        Sent again after a lost answer, the request might move what another client made under the
        old name meanwhile, over what was just moved: so both sides are looked at first.
        """
        self._api.check_key(key)
        self._api.check_key(new)
        if key.endswith("/") != new.endswith("/"):
            raise InvalidRequest(f"{key!r} cannot become {new!r}: only one of them is a directory")
        request = Request(
            operation="RenameObject",
            method="POST",
            key=key,
            # The manual's text wants an absolute path, as obsfs sends; its sample has a bare name.
            query={"name": f"/{new}", "rename": ""},
            subresource="rename",
            verify_done=lambda: self._was_renamed(key, new, source),
        )
        with self._locks.hold(key, new), self._features.require("rename"):
            self._acls.forget(key)
            self._acls.forget(new)
            answer = self._api.send(request, allow={"NoSuchKey"})
            if answer.error is None:
                return
            failure = to_exception(request, answer)
            if not answer.may_have_happened or not self._was_renamed(key, new, source):
                raise failure
            logger.info("%s: the answer was lost, but it is done", request)

    def _was_renamed(self, key: str, new: str, source: ObjectInfo | None) -> bool:
        """Say whether what was at `key` is at `new` now, as far as looking can tell.

        A file at the old name that is another one than before was made after the rename, if the
        one that was there is at the new name.
        """
        left, arrived = self._find(key), self._find(new)
        if arrived is None:
            return False
        if left is None:
            return True
        if source is None or key.endswith("/"):
            return False
        return is_version(arrived, source) and not is_version(left, source)

    def _find(self, key: str) -> ObjectInfo | None:
        try:
            return self._heads.head(key)
        except NotFound:
            return None
