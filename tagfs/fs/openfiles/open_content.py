"""The content of an open file that is changed here: its local copy, and where the rest of it is."""

from tagfs.errors import FileTooLarge, NotFound
from tagfs.fs.content.staged_file import StagedFile
from tagfs.fs.openfiles.file_state import Clean, changed, staging
from tagfs.fs.openfiles.open_tags import OpenTags
from tagfs.store.objects import ObjectInfo
from tagfs.store.versions import check_same_size


class OpenContent(OpenTags):
    """An open file as an object, with a local copy of its content once that is changed."""

    def take_range(self, source: ObjectInfo, start: int, end: int) -> bool:
        """Be the first `end` bytes of another object, if all that is here so far is of that one."""
        with self.lock:
            kept = self._is_to_append or self.has_uncertain_upload or self.is_uploading
            if kept or self.unlinked or self.size != start:
                return False
            self._check_size(end)
            taken = self._stage().take_range(source, start, end)
            if taken:
                self._touched(start, end)
            return taken

    @property
    def is_copy(self) -> bool:
        """Whether all that it has is another object's, and nothing is here."""
        return self.staged is not None and self.staged.origin is not None

    def own_content(self) -> None:
        """Make all bytes local, if they are those of another object."""
        with self.lock:
            if self.staged is not None:
                self.staged.own_content(self._fetch)

    def _stage(self) -> StagedFile:
        if self.state.staged is not None:
            return self.state.staged
        staged = self.env.staging.new_file()
        if self.info is not None:
            if self.info.detail is None:
                self.info = self.env.bucket.head(self.key, expected=self.info.type)
                self._adopt(self.info)
            staged.set_base(self.info.size)
        self.state = staging(self.state, staged)
        return staged

    def _own(self) -> StagedFile:
        staged = self._stage()
        staged.own_content(self._fetch)
        return staged

    def _fetch(self, offset: int, length: int) -> bytes:
        origin = self.staged.origin if self.staged is not None else None
        info = origin or self.info
        if info is None:
            raise NotFound(f"{self.key}: not on the service yet")
        key = origin.key if origin else self.key
        content = self.env.reads.get(key, offset, length, if_match=info.etag)
        check_same_size(info, content.info)
        return content.data

    def _check_size(self, size: int) -> None:
        limit = self.env.bucket.limits.max_object
        if size > limit:
            raise FileTooLarge(f"{self.path}: one object holds at most {limit} bytes")

    def _touched(self, start: int, end: int) -> None:
        self._committer.uploader.invalidate(start, end)
        self._committer.mark_stale()
        self.draft = self.draft.written(self.env.clock_ns(), is_new=self.is_new)
        if isinstance(self.state, Clean):
            self.flush_deferred = False
        self.state = changed(self.state)
