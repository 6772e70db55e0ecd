"""A mount never shows, by its catalogue, what a mount without one would not show within `ttl`.

Whatever happens to host, clocks and catalogue, and whatever the SDK does behind its back.
"""

import contextlib

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tagfs.catalogue import database
from tagfs.errors import NotFound
from tagfs.store.tags import NO_TAGS, TagSet
from tests.examples import examples
from tests.filesystem.catalogue_world import DAMAGE, KEYS, World

WHICH = st.sampled_from([0, 1])
KEY = st.sampled_from(KEYS)
MODE = st.sampled_from([0o600, 0o640, 0o755])
DATA = st.sampled_from([b"1", b"2", b"333"])
TAGS = st.sampled_from([NO_TAGS, TagSet({"t": "1"}), TagSet({"t": "2"})])
AHEAD = st.sampled_from([0.0, -3.0, 5.0, 600.0, -86400.0])


class Hosts(RuleBasedStateMachine):
    """Two mounts of one host whose service shows every edit in Last-Modified."""

    edits_show = True

    def __init__(self):
        super().__init__()
        self.patience = pytest.MonkeyPatch()
        self.patience.setattr(database, "BUSY", 0.2)  # nobody waits long for a damaged file
        self.world = World(edits_show=self.edits_show)

    def teardown(self):
        self.world.close()
        self.patience.undo()

    @rule(seconds=st.sampled_from([0.1, 0.4, 0.9, 2.5, 8.0, 70.0, 1300.0]))
    def pass_time(self, seconds):
        self.world.clock.advance(seconds)

    @rule(ahead=AHEAD)
    def set_the_clock(self, ahead):
        self.world.ahead = ahead

    @rule(key=KEY, data=DATA, mode=MODE, tags=TAGS)
    def put(self, key, data, mode, tags):
        self.world.put(key, data, mode, tags)

    @rule(key=KEY, data=DATA, mode=MODE, tags=TAGS)
    def uncover(self, key, data, mode, tags):
        self.world.uncover(key, data, mode, tags)

    @rule(key=KEY, mode=MODE)
    def edit(self, key, mode):
        self.world.edit(key, mode)

    @rule(key=KEY, tags=TAGS)
    def tag(self, key, tags):
        if self.world.is_there(key):
            self.world.bucket.put_tags(key, tags)
            self.world.note()

    @rule(key=KEY)
    def delete(self, key):
        self.world.bucket.delete(key)
        self.world.note()

    @rule(which=WHICH, key=KEY, mode=MODE)
    def chmod(self, which, key, mode):
        self.by_mount(lambda: self.world.mounts[which].fs.chmod(f"/{key}", mode))

    @rule(which=WHICH, key=KEY, value=st.sampled_from([b"1", b"2"]))
    def setxattr(self, which, key, value):
        fs = self.world.mounts[which].fs
        self.by_mount(lambda: fs.setxattr(f"/{key}", "user.tag.t", value, 0))

    def by_mount(self, call):
        with contextlib.suppress(NotFound):
            call()
        self.world.note()

    @rule(which=WHICH, killed=st.booleans())
    def remount(self, which, killed):
        self.world.remount(which, killed=killed)

    @rule(ahead=AHEAD)
    def reboot(self, ahead):
        self.world.reboot(ahead)

    @rule(how=st.sampled_from(sorted(DAMAGE)))
    def damage(self, how):
        self.world.damage(how)

    @rule(which=WHICH)
    def index(self, which):
        self.world.index(which)

    @rule(which=WHICH)
    def forget(self, which):
        self.world.mounts[which].fs.setxattr("/", "user.tagfs.refresh", b"", 0)

    @rule(which=WHICH, directory=st.sampled_from(["/d", "/e"]))
    def walk(self, which, directory):
        self.world.walk(which, directory)

    @rule(which=WHICH, key=KEY)
    def look(self, which, key):
        self.world.look(which, key)

    @rule(which=WHICH, key=KEY)
    def look_at_tag(self, which, key):
        self.world.look_at_tag(which, key)


class SilentHosts(Hosts):
    """The same of a service that does not: OBS."""

    edits_show = False


TestHosts = Hosts.TestCase
TestHosts.settings = settings(max_examples=examples(25), stateful_step_count=30, deadline=None)
TestSilentHosts = SilentHosts.TestCase
TestSilentHosts.settings = TestHosts.settings
