"""The settings of a mount that runs, and how `mount -o remount` changes some of them."""

import logging
from dataclasses import replace

from tagfs.catalogue.mount_memory import MountMemory
from tagfs.config.bucket_settings import rate_limits
from tagfs.config.options import REMOUNTABLE
from tagfs.config.settings import Settings, parse_options, split_options
from tagfs.errors import SettingsError
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.client.client import Client

log = logging.getLogger(__name__)


class RunningSettings:
    """What holds for a mount now.

    Attributes:
        now: all settings; others after each change.
    """

    def __init__(
        self, settings: Settings, client: Client, bucket: CachedBucket, memory: MountMemory | None
    ) -> None:
        self.now = settings
        self._client = client
        self._bucket = bucket
        self._memory = memory

    def change(self, options: str) -> None:
        """Change what is written in `options`, as after -o; all of it or, if it is wrong, nothing.

        Raises:
            SettingsError
        """
        words = split_options((options,))
        if fixed := sorted(words.keys() - REMOUNTABLE):
            raise SettingsError(f"no remount changes {', '.join(fixed)}")
        chosen = parse_options(self.now.url, words)
        self.now = new = replace(self.now, **{name: getattr(chosen, name) for name in words})
        self._client.transport.pace.set_limits(rate_limits(new))
        self._bucket.set_ages(ttl=new.ttl, tag_ttl=new.tag_ttl, negative_ttl=new.negative_ttl)
        if self._memory is not None:
            self._memory.set_ages(ttl=new.ttl, tag_ttl=new.tag_ttl)
        log.info("remount: %s", options)
