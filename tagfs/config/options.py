"""The one table of mount options: how each is read, what it is by default, and what it means.

Checks, `tagfs mount --help`, tagfs-mount(8), docs/options.md, the completion of `-o`, what a mount
says of itself and what its recovery begins with are made of this. The fields of `Settings` are
its names and defaults once more, for the type checker; a test compares the two.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tagfs.config import values
from tagfs.config.limits import MAX_PARALLEL


@dataclass(frozen=True, slots=True, kw_only=True)
class MountOption:
    """One option of tagfs.

    Attributes:
        parse: reads its value, or raises ValueError; None where it is there or is not.
        expects: what to say of a wrong value.
        default: as it would be written, "" where there is none or it depends on the host.
        text: what it means, for people.
        values: all that it may be, where these are few.
        alone: what its name alone stands for; "" where it needs a value.
        reaches_bucket: says where a bucket is and how its tags are written, with no secret: a
            mount tells it in its status, and commands on a path of the mount go the same way.
        recovered_with: what is staged is finished with it, if the mount ends early; with what
            reaches the bucket anyway.
        remountable: a mount that runs can change it.
        source: says where other options are read from, and is none of `Settings`.
        secret: its value may hold a password, and is not repeated when it is wrong.
        for_root: what libfuse calls it, of an option that root alone may choose; else "".
    """

    name: str
    parse: Callable[[str], Any] | None = None
    expects: str = ""
    default: str = ""
    text: str
    values: tuple[str, ...] = ()
    alone: str = ""
    reaches_bucket: bool = False
    recovered_with: bool = False
    remountable: bool = False
    source: bool = False
    secret: bool = False
    for_root: str = ""

    @property
    def described(self) -> str:
        """What the option means, with all that it may be where these are few."""
        text = f"{self.text} A remount can change it." if self.remountable else self.text
        if all(re.search(rf"\b{word}\b", self.text) for word in self.values):
            return text
        return f"{text} One of {', '.join(self.values)}."


@dataclass(frozen=True, slots=True)
class Topic:
    """Options that belong together."""

    title: str
    options: tuple[MountOption, ...]


def _value(
    name: str,
    parse: Callable[[str], Any],
    expects: str,
    default: str,
    text: str,
    **marks: Any,
) -> MountOption:
    return MountOption(name=name, parse=parse, expects=expects, default=default, text=text, **marks)


def _word(
    name: str,
    default: str,
    words: tuple[str, ...],
    text: str,
    **marks: Any,
) -> MountOption:
    expects = marks.pop("expects", f"{', '.join(words[:-1])} or {words[-1]}")
    return MountOption(
        name=name,
        parse=values.one_of(*words),
        expects=expects,
        default=default,
        text=text,
        values=words,
        **marks,
    )


def _flag(name: str, text: str, for_root: str = "") -> MountOption:
    return MountOption(name=name, text=text, for_root=for_root)


TOPICS: Final = (
    Topic(
        "Where the bucket is",
        (
            _value("endpoint", str, "a host, with or without http(s)://", "", "Host of the service, with or without http(s)://, perhaps with a path.", reaches_bucket=True),
            _value("region", str, "a region such as cn-hangzhou", "", "Region; one of endpoint and region is needed. OSS signs by V4 with a region, by V1 without.", reaches_bucket=True),
            _word("addressing", "auto", ("auto", "virtual", "path", "cname"), "Bucket in the host name or in the path; cname: the endpoint is the bucket's own domain.", reaches_bucket=True),
            _value("ca_bundle", values.path, "a file or a directory", "", "File or directory of the certificate authorities to trust; else AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR say, else this host's store.", reaches_bucket=True),
            _word("requester_pays", "off", ("off", "on"), "Say with every request that you pay for it, as buckets want it whose owner does not; the name alone means on.", alone="on", reaches_bucket=True),
            _value("proxy", values.proxy, "http[s]://[USER:PASSWORD@]HOST:PORT, a file of mode 0600 that holds that, or none", "", "HTTP proxy, as http://[USER:PASSWORD@]HOST:PORT, a file of mode 0600 that holds that, or none; else HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say.", reaches_bucket=True, secret=True),
            _value("timeout", values.seconds, "seconds", "60", "Seconds of trying a request before it fails (EIO).", recovered_with=True),
            _value("config", str, "", "", "Settings file instead of ~/.config/tagfs.toml and /etc/tagfs.toml.", source=True),
            _value("profile", str, "", "", "Profile of the settings file.", source=True),
        ),
    ),
    Topic(
        "Credentials",
        (
            _value("credentials", values.path, "a file", "", "File with the key pair, readable for its owner alone.", recovered_with=True),
            _value("credential_process", values.command, "a command, its quotations closed", "", "Command that prints a key pair as JSON; asked again before it expires.", recovered_with=True, secret=True),
            _value("credentials_profile", str, "a profile of the vendor's tools", "", "Profile of the vendor's own files.", recovered_with=True),
            _word("instance_role", "auto", ("auto", "off"), "Whether the role of a cloud host is used.", recovered_with=True),
            _word("anonymous", "off", ("off", "on"), "Nobody: requests are not signed and no credentials looked for, as for public buckets; the name alone means on.", alone="on", reaches_bucket=True),
        ),
    ),
    Topic(
        "Who may do what",
        (
            _flag("ro", "Read only: every change is refused."),
            _value("uid", values.user, "a number, or the name of a user of this host", "", "Owner, by number or name, shown where the metadata tells none; the mounting user."),
            _value("gid", values.group, "a number, or the name of a group of this host", "", "Group, by number or name, shown where the metadata tells none; the mounting user's."),
            _value("umask", values.octal, "an octal number such as 022", "022", "Mode bits taken off where the metadata tells no mode."),
            _value("file_mode", values.octal, "an octal number such as 644", "", "Mode shown of files where the metadata tells none; 666 without the umask."),
            _value("dir_mode", values.octal, "an octal number such as 755", "", "The same of directories; 777 without the umask."),
            _word("no_delete", "off", ("off", "on"), "Nothing is deleted: rm, rmdir, and a rename over something are refused (EPERM); the name alone means on.", alone="on"),
            _word("no_overwrite", "off", ("off", "on"), "No content is replaced: what is not new or empty cannot be opened for writing, cut, or renamed over (EPERM); tags, owner and mode can be set. The name alone means on.", alone="on"),
            _flag("allow_other", "Other users may use the mount; brings default_permissions. For normal users it needs user_allow_other in /etc/fuse.conf."),
            _word("unlisted", "denied", ("denied", "absent"), "Where nothing may be listed, S3 refuses (403) to say whether a name is there. denied: it is EACCES. absent: it is ENOENT, so that new files and directories can be made; whatever is there is not replaced (EACCES).", recovered_with=True),
            _flag("default_permissions", "The kernel judges by owner and mode, for the mounting user too."),
            _flag("allow_suid", "Setuid and setgid bits count; root alone may say so. Without it a mount is nosuid, whatever mount(8) adds. Danger: whoever can write the bucket, or its metadata, becomes root here.", for_root="suid"),
            _flag("allow_dev", "Device nodes can be opened; root alone may say so. Without it a mount is nodev, whatever mount(8) adds. Danger: whoever can write the bucket, or its metadata, gets at this host's disks and memory.", for_root="dev"),
        ),
    ),
    Topic(
        "What is shown and kept",
        (
            _word("attributes", "stored", ("stored", "listing"), "stored: mode, owner and times are kept in user metadata. listing: fastest, from these options and Last-Modified, and what tools set is not kept."),
            _value("ttl", values.seconds, "seconds", "60", "Seconds for which listings and attributes that are only looked at may be remembered.", remountable=True),
            _value("negative_ttl", values.seconds, "seconds", "", "The same for names that are not there, where it is to be shorter; ttl. 0: asked again each time, but for the second that the kernel remembers (add negative_timeout=0).", remountable=True),
            _value("tag_ttl", values.seconds, "seconds", "60", "The same for tags.", remountable=True),
            _word("replace_tags", "keep", ("keep", "drop"), "A file renamed over another one: it keeps what it does not bring itself (tags, Content-Type and other headers, user metadata, encryption), or drop it all as POSIX has it."),
            _value("desktop_tags", str, "off, keys, or the key of a tag", "off", "How user.xdg.tags, the labels of file managers, is kept. off: as an attribute like any other. keys: each label is a tag with an empty value. Another word: the tag of that key holds all labels, parted by colons."),
            _word("content_type", "auto", ("auto", "off"), "Content-Type of new files: by the name (mime.types), or off: the service's default."),
            _value("acl", values.acl, "keep, off, or a canned ACL such as bucket-owner-full-control", "keep", "ACLs of objects. keep: every rewrite reads an object's ACL and sends it, for services reset it. off: neither. A canned word (public-read, bucket-owner-full-control, ...): sent with every write.", recovered_with=True),
            _word("annotations", "auto", ("auto", "on", "off"), "Annotations of S3 objects, as user.annotation.NAME, kept over rewrites. auto: where Amazon answers. on: of any server, and listed, which is a request more for each file whose attributes are listed. off: not asked for, and lost by a rewrite.", recovered_with=True),
            _value("default_tags", values.tags, "tags such as team=blue&cost=42", "", "Tags that every object gets with the request that writes it, but where it has the key: KEY=VALUE&KEY=VALUE, percent-encoded as user.tagging is. For buckets whose policy demands a tag at upload.", recovered_with=True),
            _value("rules", values.rules, "a file", "", "File of rules about tags: which new files get, which they must have, which values are allowed, which tags stay (docs/rules.md). They may stand in the settings file as well, as [[rules]]. Read when the mount begins.", reaches_bucket=True),
            _word("policy", "enforce", ("enforce", "warn", "off"), "What becomes of what breaks these rules. enforce: it is refused (EPERM, EINVAL). warn: a line in the log. off: nothing; new files get their tags all the same.", reaches_bucket=True),
            _word("tags_denied", "fail", ("fail", "drop"), "Rewriting an object whose tags may not be read: fail (EACCES), or drop them.", recovered_with=True),
            _value("append_objects", str, "a pattern of file names, such as *.log", "", "Pattern of names, such as *.log, whose new files become appendable objects: only what is added is sent."),
            _word("durability", "service", ("service", "local"), "What close waits for. service: the service has the file. local: the local disk has it, and it is uploaded within moments, many files at once; fsync still waits for the service."),
            _value("sse", values.encryption, "an encryption of the service such as aws:kms", "", "Encryption of new objects: AES256, aws:kms or aws:kms:dsse on S3, AES256, KMS or SM4 on OSS, AES256 or kms on OBS. What has another one keeps it, key and all, when it is rewritten.", recovered_with=True),
            _value("sse_kms_key_id", values.encryption, "the id of a key", "", "Key of the service's key management for sse; its usual one.", recovered_with=True),
            _value("sse_c_key_file", values.path, "a file", "", "File with a key of 32 bytes in base64 or hex, readable for its owner alone: every object is encrypted with it, and read by it (SSE-C). S3 and OBS; not with sse.", reaches_bucket=True),
            _value("storage_class", str, "a storage class of the service", "", "Storage class of new objects.", recovered_with=True),
            _word("obs_tag_profile", "narrow", ("narrow", "wide"), "Which documented limits of OBS bucket tags hold.", reaches_bucket=True),
            _word("obs_tag_urlencode", "auto", ("auto", "on", "off"), "Whether OBS tags are percent-encoded.", reaches_bucket=True),
        ),
    ),
    Topic(
        "Resources",
        (
            _value("cache_dir", values.path, "a directory", "", "Directory of staged files; /var/cache/tagfs for root of the host, else ~/.cache/tagfs."),
            _word("catalogue", "on", ("on", "off"), "Whether what is learnt of attributes and tags is kept in cache_dir, as an index of the bucket on this host (docs/find.md)."),
            _value("only", values.expression, "an expression as of tagfs tag find", "", "Show only the files whose tags match, such as only='team=blue and not retention'. All others are neither replaced nor deleted; new files need default_tags that match (docs/find.md)."),
            _value("views", values.view_name, "off, or a name without /", "", "Directory of views in the root, where the files are that have a tag, or match a query (docs/find.md): a name under which it is listed, or off. Unless it is chosen, .tagfs, which is not listed."),
            _value("catalogue_size", values.size, "a size such as 1G", "1G", "Size of that index; a million objects take some 300M."),
            _value("cache_size", values.size, "a size such as 10G, 0 for none", "0", "Size of what is kept of files that are read, in cache_dir, by version, for all mounts of this user and from one mount to the next; 0: nothing is kept (docs/speed.md)."),
            _value("memory", values.memory, "a size of at least 16M, such as 256M", "256M", "Read-ahead over the whole mount, at least 16M."),
            _value("parallel", values.parallelism, f"a number from 1 to {MAX_PARALLEL}", "128", "Requests at a time, 1 to 1024.", recovered_with=True),
            _value("max_requests_per_second", values.rate, "a number, 0 for no limit", "0", "Requests that may begin in a second, over all connections; 0: as many as there are.", recovered_with=True, remountable=True),
            _value("upload_limit", values.size, "a size such as 10M, 0 for no limit", "0", "Bytes to send in a second, such as 10M, on average over some requests; 0: no limit.", recovered_with=True, remountable=True),
            _value("download_limit", values.size, "a size such as 10M, 0 for no limit", "0", "Bytes to receive in a second, likewise.", recovered_with=True, remountable=True),
            _value("part_size", values.part_size, "a size from 100K to 5G, such as 16M", "8M", "Size of multipart parts, 100K to 5G."),
            _word("fuse", "auto", ("auto", "2", "3"), "The libfuse to run on; auto takes 3 where it is, which has reads and writes of 1 MiB and tells attributes with the names of a directory, else 2.", expects="2 or 3 (of libfuse), or auto"),
        ),
    ),
    Topic(
        "Logs",
        (
            _word("log_level", "info", ("debug", "info", "warning", "error"), "debug, info, warning or error.", expects="debug, info, ..."),
            _value("log_file", values.path, "a file", "", "File instead of the system's log."),
            _value("request_log", Path, "a file", "", "File that gets a JSON line for every request."),
            _value("metrics", values.port, "a port of this host from 1 to 65535", "", "Port of this host for Prometheus; needs prometheus-client (pipx inject tagfs-mount prometheus-client)."),
        ),
    ),
)  # fmt: skip

TABLE: Final[Mapping[str, MountOption]] = {
    option.name: option for topic in TOPICS for option in topic.options
}
"""All of them by name."""

PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    option.name: option.parse for option in TABLE.values() if option.parse and not option.source
}
"""What reads those that take a value, each a field of `Settings`."""

SOURCES: Final = frozenset(option.name for option in TABLE.values() if option.source)
"""Those that say where others are read from."""

DANGEROUS: Final[Mapping[str, str]] = {
    option.name: option.for_root for option in TABLE.values() if option.for_root
}
"""Our words for what a mount is without unless root asks for it, and what libfuse calls that.

libfuse's own words change nothing: mount.fuse(8) adds them to the options of every line of fstab.
"""

REMOUNTABLE: Final = frozenset(option.name for option in TABLE.values() if option.remountable)
"""What `mount -o remount` can change, beside what is the kernel's."""

REACHING: Final = tuple(option.name for option in TABLE.values() if option.reaches_bucket)
"""What a mount tells of itself, and commands on its paths take over."""

RECOVERED_WITH: Final = tuple(
    option.name for option in TABLE.values() if option.reaches_bucket or option.recovered_with
)
"""What a recovery directory keeps: what is staged is finished with the same."""
