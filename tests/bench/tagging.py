"""Rows about tags: extended attributes through mounts, and whole buckets against SDK loops."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.bench.service import Fill
from tests.bench.subjects import ENVIRONMENT
from tests.bench.workload import SMALL, TAGS, Place, Sizes, Workload, detailed, listing, sh

XATTR = frozenset({"xattr"})


def keys_below(client: Any, bucket: str, prefix: str) -> list[str]:
    """List keys as a script does."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [o["Key"] for page in pages for o in page.get("Contents", ())]


def _each(threads: int, work: Any, keys: list[str]) -> None:
    if threads == 1:
        for key in keys:
            work(key)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, keys))


def _sdk_reads(prefix: str) -> Any:
    def run(client: Any, place: Place, threads: int) -> None:
        def read(key: str) -> None:
            client.get_object_tagging(Bucket=place.bucket, Key=key)

        _each(threads, read, keys_below(client, place.bucket, prefix))

    return run


def _sdk_sets(client: Any, place: Place, threads: int) -> None:
    """Set one tag and keep the others, which takes a GET and a PUT for each object."""

    def change(key: str) -> None:
        tags = client.get_object_tagging(Bucket=place.bucket, Key=key)["TagSet"]
        tags = [tag for tag in tags if tag["Key"] != "team"] + [{"Key": "team", "Value": "red"}]
        client.put_object_tagging(Bucket=place.bucket, Key=key, Tagging={"TagSet": tags})

    _each(threads, change, keys_below(client, place.bucket, "d/"))


def _tag_command(place: Place) -> None:
    command = [sys.executable, "-m", "tagfs", "tag", "set", "-R", "team=red"]
    command += [f"{place.url}/d", "-o", place.options]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"tagfs tag: exit {done.returncode}: {done.stderr.strip()[-200:]}")


def tagging(sizes: Sizes) -> list[Workload]:
    """Return the rows, titles telling the sizes."""
    own = (Fill(f"d/f{{:05d}}:{sizes.small}:{SMALL}", TAGS),)
    few = (Fill(f"d/f{{:05d}}:{sizes.made // 2}:{SMALL}", TAGS),)
    loops = ("sdk-32", "sdk-1")

    def reads(count: int) -> dict[str, int]:
        stored = dict.fromkeys(("tagfs", "fuse2", "oss"), listing(count) + 2 * count)
        return stored | {"listing": listing(count) + count, "minio": detailed(count)}

    return [
        Workload("getfattr", f"getfattr -R -d of {sizes.small:,}",
                 lambda p: sh("getfattr -R -d {}", p.point / "small"), sdk=_sdk_reads("small/"),
                 must=True, metadata=True, wants=XATTR, budgets=reads(sizes.small),
                 extras=("fuse2", "listing", "oss", "minio", *loops)),
        Workload("getfattr-medium", f"getfattr -R -d of {sizes.medium:,}",
                 lambda p: sh("getfattr -R -d {}", p.point / "medium"),
                 sdk=_sdk_reads("medium/"), metadata=True, wants=XATTR,
                 budgets=reads(sizes.medium), extras=("listing", "minio", "sdk-32")),
        Workload("setfattr", f"setfattr on {sizes.made // 2:,}",
                 lambda p: sh("setfattr -n user.tag.team -v red {}/*", p.point / "d"), few,
                 metadata=True, wants=XATTR, extras=("sdk-1",), sdk=_sdk_sets),
        Workload("tag", f"tagfs tag set on {sizes.small:,}", _tag_command, own, sdk=_sdk_sets,
                 must=True, metadata=True, mounted=False, patience=40, extras=("oss", *loops)),
    ]  # fmt: skip
