"""A mount never shows, by its catalogue, what a mount without one would not show within `ttl`.

Whatever happens to host, clocks and catalogue, and whatever the SDK does behind its back.
"""

import contextlib

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tagfs.catalogue import database
from tagfs.errors import TagfsError
from tagfs.store.tags import NO_TAGS, TagSet
from tests.examples import examples
from tests.filesystem.catalogue_world import DAMAGE, KEYS, World

WHICH = st.sampled_from([0, 0, 0, 1])
KEY = st.sampled_from([KEYS[0], KEYS[0], KEYS[1]])
MODE = st.sampled_from([0o600, 0o640])
DATA = st.sampled_from([b"1", b"1", b"2", b"333"])
TAGS = st.sampled_from([NO_TAGS, TagSet({"t": "1"}), TagSet({"t": "2"})])
AHEAD = st.sampled_from([0.0, -3.0, 5.0, 600.0, -86400.0])


class Hosts(RuleBasedStateMachine):
    """Two mounts of one host whose service shows every edit in Last-Modified.

    Few rules, so that those that matter meet often enough.
    """

    edits_show = True

    def __init__(self):
        super().__init__()
        self.patience = pytest.MonkeyPatch()
        self.patience.setattr(database, "BUSY", 0.2)  # nobody waits long for a damaged file
        self.world = World(edits_show=self.edits_show)
        self.world.put(KEYS[0], b"1", 0o600, NO_TAGS)

    def teardown(self):
        self.world.close()
        self.patience.undo()

    @rule(seconds=st.sampled_from([0.1, 0.4, 2.5, 12.0, 12.0, 1300.0]))
    def pass_time(self, seconds):
        self.world.clock.advance(seconds)

    @rule(
        what=st.sampled_from(["put", "uncover", "edit", "edit", "tag", "delete"]),
        key=KEY,
        data=DATA,
        mode=MODE,
        tags=TAGS,
    )
    def by_sdk(self, what, key, data, mode, tags):
        self.change(what, key, data, mode, tags)

    @rule(which=WHICH, key=KEY, data=DATA, mode=MODE, tags=TAGS)
    def look_and_change(self, which, key, data, mode, tags):
        """Within one second, the mount looks between two changes."""
        self.change("put", key, data, mode, tags)
        self.look(which)
        self.change("edit", key, data, 0o755, tags)

    def change(self, what, key, data, mode, tags):
        world = self.world
        match what:
            case "put":
                world.put(key, data, mode, tags)
            case "uncover":
                # The same content of the same second is the same version to all that lists.
                world.uncover(key, b"below " + data, mode, tags)
            case "edit":
                world.edit(key, mode)
            case "tag" if world.is_there(key):
                world.bucket.put_tags(key, tags)
            case "delete":
                world.bucket.delete(key)
        world.note()

    @rule(which=WHICH, key=KEY, mode=MODE, value=st.none() | st.sampled_from([b"1", b"2"]))
    def by_mount(self, which, key, mode, value):
        fs = self.world.mounts[which].fs
        with contextlib.suppress(TagfsError):  # it is gone, or another one by now
            if value is None:
                fs.chmod(f"/{key}", mode)
            else:
                fs.setxattr(f"/{key}", "user.tag.t", value, 0)
        self.world.note()

    @rule(
        what=st.sampled_from(["ends", "ends", "is killed", "forgets", "index", "boot", "damage"]),
        which=WHICH,
        ahead=AHEAD,
        how=st.sampled_from(sorted(DAMAGE)),
    )
    def of_the_host(self, what, which, ahead, how):
        world = self.world
        match what:
            case "ends" | "is killed":
                world.remount(which, killed=what == "is killed")
            case "forgets":
                world.mounts[which].fs.setxattr("/", "user.tagfs.refresh", b"", 0)
            case "index":
                world.index(which)
            case "boot":
                world.reboot(ahead)
            case "damage":
                world.damage(how)

    @rule(ahead=AHEAD)
    def set_the_clock(self, ahead):
        self.world.ahead = ahead

    @rule(which=WHICH)
    def look(self, which):
        self.world.walk(which, "/d")
        for key in KEYS[:2]:
            self.world.look_at_tag(which, key)

    @rule(which=WHICH, key=KEY)
    def look_at_one(self, which, key):
        self.world.look(which, key)
        self.world.look_at_tag(which, key)


class SilentHosts(Hosts):
    """The same of a service that does not: OBS."""

    edits_show = False


TestHosts = Hosts.TestCase
TestHosts.settings = settings(max_examples=examples(25), stateful_step_count=30, deadline=None)
TestSilentHosts = SilentHosts.TestCase
TestSilentHosts.settings = TestHosts.settings


KEY_A = KEYS[0]
ONE, TWO = TagSet({"t": "1"}), TagSet({"t": "2"})


def take(step: str, world: World) -> None:
    match step:
        case "put":
            world.put(KEY_A, b"1", 0o600, ONE)
        case "edit":
            world.edit(KEY_A, 0o755)
        case "uncover":
            world.uncover(KEY_A, b"2", 0o755, ONE)
        case "tag":
            world.bucket.put_tags(KEY_A, TWO)
            world.note()
        case _:
            take_on_the_host(step, world)


def take_on_the_host(step: str, world: World) -> None:
    match step:
        case "look" | "look in the other":
            which = int(step != "look")
            world.walk(which, "/d")
            world.look_at_tag(which, KEY_A)
        case "wait" | "wait for ttl":
            world.clock.advance(5 if step == "wait" else 12)
        case "remount" | "kill":
            world.remount(0, killed=step == "kill")
        case "index":
            world.index(0)
        case "ahead":
            world.ahead = 600.0
        case "boot" | "boot 14 s ago" | "boot a day ago":
            world.clock.advance(8)  # who knows how long that takes
            world.reboot({"boot": 0.0, "boot 14 s ago": -14.0}.get(step, -86400.0))


WAYS = [
    "put, look, edit, wait for ttl, look",
    "put, look, edit, wait for ttl, remount, look",
    "put, index, edit, wait for ttl, remount, look",
    "ahead, put, look, edit, wait for ttl, remount, look",
    "ahead, put, index, edit, wait for ttl, remount, look",
    "put, wait, look, edit, wait for ttl, look",
    "put, wait, look, edit, wait for ttl, remount, look",
    "put, wait, index, edit, wait for ttl, look in the other",
    "put, wait, look, uncover, wait for ttl, remount, look",
    "put, look, tag, wait for ttl, remount, look",
    "put, index, tag, wait for ttl, kill, look",
    "put, look, remount, tag, boot, look",
    "put, look, remount, wait, tag, wait, boot 14 s ago, look",
    "put, look, remount, tag, boot a day ago, look",
]


@pytest.mark.parametrize("edits_show", [True, False], ids=["edits show", "silent"])
@pytest.mark.parametrize("way", WAYS)
def test_ways_to_be_misled(way: str, *, edits_show: bool) -> None:
    world = World(edits_show=edits_show)
    for step in way.split(", "):
        take(step, world)
    world.close()
