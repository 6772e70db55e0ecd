"""tagfs(1) and tagfs-mount(8), made of the commands, the table of options and a little text."""

import inspect
from collections.abc import Iterator

import click

from scripts.manpages import roff
from tagfs import __version__
from tagfs.config.fuse_options import FUSE_OPTIONS
from tagfs.config.options import TOPICS
from tagfs.manual.examples import EXAMPLES, commands
from tagfs.manual.mount_options import written
from tagfs.terminal.lazy_group import HELP

ATTRIBUTES = (
    ("user.tag.KEY", "One tag of the object; of a directory, of its marker; of the root, of the bucket."),
    ("tag.KEY", "The same, unlisted; on symlinks the only name (setfattr -h)."),
    ("user.tagging", "All tags as k1=v1&k2=v2, percent-encoded. Unlisted."),
    ("user.bucket.tag.KEY", "The bucket's tags, on the root of a mounted prefix."),
    ("user.meta.KEY", "User metadata."),
    ("user.object.NAME", "content_type, cache_control, content_disposition, content_encoding, content_language and expires are headers, and can be set; storage_class, encryption (WORD, or WORD and the id of a key) and acl (a word, or default) are the service's, and can be set as well; etag, type, version_id and crc64 are read-only. Unlisted."),
    ("user.object.restore", "Of an archived object: archived, restoring or until DATE. Set to a number of days, it is restored for so long. Unlisted."),
    ("user.tagfs.status", "On the root: the state of the mount as JSON. Unlisted."),
    ("user.tagfs.refresh", "Setting it forgets what is cached below. Unlisted."),
)  # fmt: skip

VARIABLES = (
    ("OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET, OSS_SESSION_TOKEN", "Key pair for oss://."),
    ("OBS_ACCESS_KEY_ID, OBS_SECRET_ACCESS_KEY, OBS_SECURITY_TOKEN", "Key pair for obs://."),
    ("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN", "Key pair for s3://."),
    ("TAGFS_OPTION", "Any mount option in capitals, such as TAGFS_TTL=5. -o wins."),
)

FSTAB = (
    "oss://photos  /mnt  fuse.tagfs  region=cn-hangzhou,credentials=/etc/tagfs/keys,_netdev,nofail  0 0",
)

STATUS = (("0", "Done."), ("1", "It failed; one line on stderr says why."), ("2", "Bad usage."))


def tagfs_1(group: click.Group) -> str:
    """Return the page of the command."""
    parts = [
        roff.title("tagfs", 1, f"tagfs {__version__}"),
        roff.heading("Name"),
        "tagfs \\- mount an object\\-storage bucket and edit its tags as extended attributes",
        roff.heading("Synopsis"),
        roff.verbatim([f"{path} {_usage(one)}" for path, one in commands(group) if _leaf(one)]),
        roff.heading("Description"),
        *roff.prose(_DESCRIPTION),
        roff.heading("Commands"),
        *(part for path, one in commands(group) if path != "tagfs" for part in _command(path, one)),
        roff.heading("Extended attributes"),
        *(roff.term(*pair) for pair in ATTRIBUTES),
        roff.heading("Environment"),
        *(roff.term(*pair) for pair in VARIABLES),
        roff.heading("Exit status"),
        *(roff.term(*pair) for pair in STATUS),
        roff.heading("Examples"),
        roff.verbatim(EXAMPLES["tagfs"]),
        roff.heading("See also"),
        roff.paragraph("tagfs-mount(8), getfattr(1), setfattr(1), mount.fuse3(8), fusermount3(1)"),
    ]
    return "\n".join(parts) + "\n"


_DESCRIPTION = """
A bucket of Alibaba Cloud OSS (oss://), Huawei Cloud OBS (obs://) or an S3 (s3://) becomes a directory. Tags of objects and of
the bucket are extended attributes there, and no tool that works on the mount loses one.

What close(2) or fsync(2) said is written is on the service; an object is replaced all at once.
"""


def tagfs_mount_8(group: click.Group) -> str:
    """Return the page of the mount options."""
    mount = group.commands["mount"]
    parts = [
        roff.title("tagfs-mount", 8, f"tagfs {__version__}"),
        roff.heading("Name"),
        "tagfs\\-mount, mount.fuse.tagfs \\- mount a bucket",
        roff.heading("Synopsis"),
        roff.verbatim(
            [
                f"tagfs mount {_usage(mount)}",
                "mount -t fuse.tagfs URL MOUNTPOINT [-o OPT[,OPT=VALUE...]]",
                "tagfs umount MOUNTPOINT",
            ]
        ),
        roff.heading("Description"),
        *roff.prose(inspect.cleandoc(mount.help or "")),
        roff.paragraph(_BACKGROUND),
        roff.heading("Options"),
    ]
    for topic in TOPICS:
        parts.append(roff.subheading(topic.title))
        parts += [roff.term(written(option), option.described) for option in topic.options]
    parts += [
        roff.subheading("Of libfuse and mount(8), passed through"),
        roff.paragraph(", ".join(sorted(FUSE_OPTIONS)) + "."),
        roff.heading("Mount and fstab"),
        *roff.prose(_MOUNT_FUSE),
        roff.verbatim(FSTAB),
        *roff.prose(_FLAGS),
        roff.heading("Settings"),
        *roff.prose(_SETTINGS),
        roff.heading("Credentials"),
        *roff.prose(_CREDENTIALS),
        roff.heading("Files"),
        *(roff.term(*pair) for pair in _FILES),
        roff.heading("Exit status"),
        *(roff.term(*pair) for pair in STATUS),
        roff.heading("See also"),
        roff.paragraph("tagfs(1), mount(8), fstab(5), mount.fuse3(8), fuse(4)"),
    ]
    return "\n".join(parts) + "\n"


_BACKGROUND = """
The command returns when the mount answers; what is wrong before is said on stderr, and nothing is mounted then. With -f it
stays. Options are also read from the environment and from the settings file; -o wins.
"""

_SETTINGS = """
Each option comes from the first of these that has it: -o; the variable TAGFS_ and its name in capitals (TAGFS_TTL); OSS_ENDPOINT,
OSS_REGION, AWS_ENDPOINT_URL, AWS_REGION; the settings files. Those are TOML:

\b
[default]                   # for every bucket
ttl = 30
allow_other = true

\b
[bucket."oss://photos"]     # for this one
region = "cn-hangzhou"
credentials = "/etc/tagfs/photos.key"

\b
[profile.archive]           # where -o profile=archive asks for it
ro = true
"""

_CREDENTIALS = """
They come from the first of these that has a key pair: credentials=FILE, of mode 0600, with lines such as access_key_id = ... and
access_key_secret = ..., or ID:SECRET; credential_process=COMMAND; the variables of the vendor's SDKs, those of a pod (web
identity, RRSA, an OIDC agency) too; the files of ossutil, aliyun, obsutil or aws, with roles and sign-ons; the role of the
container or the machine. A file that others can read is refused, and so is whatever was named (a token file, a profile that is
not there) and cannot be used. Temporary ones are renewed five minutes
before they expire, and when the service refuses them.
"""

_MOUNT_FUSE = """
mount(8) runs /sbin/mount.fuse of the package fuse3, which runs the command tagfs if that is in a directory of the system
(/usr/local/bin, /usr/bin); the PATH of whoever mounts does not count. A tagfs in a virtual environment or of pipx needs one
link, or the other, which mount(8) then runs itself:

\b
ln -s "$(command -v tagfs)" /usr/local/bin/tagfs
ln -s "$(command -v tagfs)" /sbin/mount.fuse.tagfs

A line of fstab(5), with the key pair in a file that root alone may read:
"""

_FLAGS = """
A mount is nosuid,nodev however it is started: mount.fuse adds suid and dev to every line, so these change nothing. allow_suid and
allow_dev do, and are for root alone. mount -o remount changes ro, noexec, noatime and what else the kernel alone decides, and the options of which it is said below.
"""

_FILES = (
    ("/var/cache/tagfs, ~/.cache/tagfs", "Staged files of what is being written; see tagfs recover."),
    ("/etc/tagfs.toml, ~/.config/tagfs.toml", "Settings."),
    ("/etc/fuse.conf", "user_allow_other lets normal users admit others."),
)  # fmt: skip


def mount_fuse_tagfs_8() -> str:
    """Return the page that people find who read of mount.fuse.TYPE."""
    return ".so man8/tagfs-mount.8\n"


def _leaf(command: click.Command) -> bool:
    return not isinstance(command, click.Group)


def _context(command: click.Command, path: str) -> click.Context:
    return click.Context(command, info_name=path, help_option_names=HELP)


def _usage(command: click.Command) -> str:
    return " ".join(command.collect_usage_pieces(_context(command, "tagfs")))


def _command(path: str, command: click.Command) -> Iterator[str]:
    yield roff.subheading(f"{path} {_usage(command)}" if _leaf(command) else path)
    yield from roff.prose(inspect.cleandoc(command.help or ""))
    if path != "tagfs mount":
        yield from roff.prose(command.epilog or "")
    context = _context(command, path)
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and "--help" not in parameter.opts:
            yield roff.term(record[0], record[1] or " ")
