"""What every mount option means, for people.

`tagfs mount --help`, tagfs-mount(8), docs/options.md and the completion of `-o` are made of this.
"""

import textwrap
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class MountOption:
    """One option of tagfs; `default` is as it would be written, "" where there is none."""

    name: str
    default: str
    text: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Topic:
    """Options that belong together."""

    title: str
    options: tuple[MountOption, ...]


_O = MountOption

TOPICS: Final = (
    Topic(
        "Where the bucket is",
        (
            _O("endpoint", "", "Host of the service, with or without http(s)://."),
            _O("region", "", "Region; one of endpoint and region is needed. OSS signs by V4 with a region, by V1 without."),
            _O("addressing", "auto", "Bucket in the host name or in the path.", ("auto", "virtual", "path")),
            _O("ca_bundle", "", "File of the certificate authorities to trust."),
            _O("timeout", "60", "Seconds of trying a request before it fails (EIO)."),
            _O("config", "", "Settings file instead of ~/.config/tagfs.toml and /etc/tagfs.toml."),
            _O("profile", "", "Profile of the settings file."),
        ),
    ),
    Topic(
        "Credentials",
        (
            _O("credentials", "", "File with the key pair, readable for its owner alone."),
            _O("credential_process", "", "Command that prints a key pair as JSON; asked again before it expires."),
            _O("credentials_profile", "", "Profile of the vendor's own files."),
            _O("instance_role", "auto", "Whether the role of a cloud host is used.", ("auto", "off")),
        ),
    ),
    Topic(
        "Who may do what",
        (
            _O("ro", "", "Read only: every change is refused."),
            _O("uid", "", "Owner shown where the metadata tells none; the mounting user."),
            _O("gid", "", "Group shown where the metadata tells none; the mounting user's."),
            _O("umask", "022", "Mode bits taken off where the metadata tells no mode."),
            _O("allow_other", "", "Other users may use the mount; brings default_permissions. For normal users it needs user_allow_other in /etc/fuse.conf."),
            _O("default_permissions", "", "The kernel judges by owner and mode, for the mounting user too."),
            _O("allow_suid", "", "Setuid and setgid bits count; root alone may say so. Without it a mount is nosuid, whatever mount(8) adds. Danger: whoever can write the bucket, or its metadata, becomes root here."),
            _O("allow_dev", "", "Device nodes can be opened; root alone may say so. Without it a mount is nodev, whatever mount(8) adds. Danger: whoever can write the bucket, or its metadata, gets at this host's disks and memory."),
        ),
    ),
    Topic(
        "What is shown and kept",
        (
            _O("attributes", "stored", "stored: mode, owner and times are kept in user metadata. listing: fastest, from these options and Last-Modified, and what tools set is not kept.", ("stored", "listing")),
            _O("ttl", "60", "Seconds for which listings and attributes that are only looked at may be remembered."),
            _O("tag_ttl", "60", "The same for tags."),
            _O("replace_tags", "keep", "A file renamed over another one: it keeps what it does not bring itself (tags, Content-Type and other headers, user metadata, encryption), or drop it all as POSIX has it.", ("keep", "drop")),
            _O("content_type", "auto", "Content-Type of new files: by the name (mime.types), or off: the service's default.", ("auto", "off")),
            _O("acl", "keep", "ACLs of objects. keep: every rewrite reads an object's ACL and sends it, for services reset it. off: neither. A canned word (public-read, bucket-owner-full-control, ...): sent with every write."),
            _O("tags_denied", "fail", "Rewriting an object whose tags may not be read: fail (EACCES), or drop them.", ("fail", "drop")),
            _O("append_objects", "", "Pattern of names, such as *.log, whose new files become appendable objects: only what is added is sent."),
            _O("durability", "service", "What close waits for. service: the service has the file. local: the local disk has it, and it is uploaded within moments, many files at once; fsync still waits for the service.", ("service", "local")),
            _O("storage_class", "", "Storage class of new objects."),
            _O("obs_tag_profile", "narrow", "Which documented limits of OBS bucket tags hold.", ("narrow", "wide")),
            _O("obs_tag_urlencode", "auto", "Whether OBS tags are percent-encoded.", ("auto", "on", "off")),
        ),
    ),
    Topic(
        "Resources",
        (
            _O("cache_dir", "", "Directory of staged files; /var/cache/tagfs for root, else ~/.cache/tagfs."),
            _O("memory", "256M", "Read-ahead over the whole mount, at least 16M."),
            _O("parallel", "64", "Requests at a time, 1 to 1024."),
            _O("part_size", "8M", "Size of multipart parts, 100K to 5G."),
            _O("fuse", "auto", "The libfuse to run on: 3 has reads and writes of 1 MiB and needs mfusepy (pipx inject tagfs-mount mfusepy); auto takes 2 where it is.", ("auto", "2", "3")),
        ),
    ),
    Topic(
        "Logs",
        (
            _O("log_level", "info", "debug, info, warning or error.", ("debug", "info", "warning", "error")),
            _O("log_file", "", "File instead of the system's log."),
            _O("request_log", "", "File that gets a JSON line for every request."),
            _O("metrics", "", "Port of this host for Prometheus; needs prometheus-client (pipx inject tagfs-mount prometheus-client)."),
        ),
    ),
)  # fmt: skip

DESCRIBED: Final = {option.name: option for topic in TOPICS for option in topic.options}


def written(option: MountOption) -> str:
    """Return an option as it is written after -o, with its default."""
    if option.default or option.name not in _WITHOUT_VALUE:
        return f"{option.name}={option.default or _placeholder(option.name)}"
    return option.name


_WITHOUT_VALUE: Final = frozenset(
    {"ro", "allow_other", "default_permissions", "allow_suid", "allow_dev"}
)


def _placeholder(name: str) -> str:
    return "..." if name not in {"uid", "gid"} else "N"


def help_text(width: int = 78) -> str:
    """Return all options for --help, in paragraphs that click leaves alone."""
    blocks = []
    for topic in TOPICS:
        lines = [f"{topic.title} (-o):"]
        for option in topic.options:
            head = f"  {written(option)}"
            body = textwrap.wrap(option.text, width - 26, break_on_hyphens=False)
            if len(head) > 23:  # noqa: PLR2004  (the column where the text begins, less a space)
                lines.append(head)
                head = ""
            lines.append(f"{head:<24}{body[0]}")
            lines += [" " * 24 + line for line in body[1:]]
        blocks.append("\b\n" + "\n".join(lines))
    return (
        "\n\n".join(blocks)
        + "\n\nEvery other option of libfuse passes through. See tagfs-mount(8)."
    )


def markdown() -> str:
    """Return docs/options.md."""
    lines = ["# Mount options", "", "Made by `scripts/man` from `tagfs/config/options.py`.", ""]
    lines += [
        "Each may also be said by the environment (`TAGFS_TTL=5`) or in the settings file; `-o` wins.",
        "",
    ]
    for topic in TOPICS:
        lines += [f"## {topic.title}", "", "| option | default | meaning |", "|---|---|---|"]
        for option in topic.options:
            default = f"`{option.default}`" if option.default else ""
            lines.append(f"| `{option.name}` | {default} | {option.text} |")
        lines.append("")
    return "\n".join(
        [
            *lines,
            "Every other option of libfuse passes through; `suid` and `dev` change nothing.",
            "",
        ]
    )
