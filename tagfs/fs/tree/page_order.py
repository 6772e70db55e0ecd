"""The order in which the entries of a directory are met in its listing."""

import heapq
from collections.abc import Iterator

from tagfs.store.objects import ObjectInfo, Page


def in_order(page: Page) -> Iterator[tuple[str, ObjectInfo | None]]:
    """Merge objects and common prefixes of a page in the order of their keys."""
    objects = ((info.key, info) for info in page.objects)
    if not page.prefixes:
        return objects
    prefixes = ((prefix, None) for prefix in page.prefixes)
    return heapq.merge(objects, prefixes, key=lambda item: item[0])
