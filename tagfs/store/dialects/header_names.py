"""Names of what is kept like a header, under a prefix of each service's own."""

from typing import Final

STORAGE_CLASS: Final = "storage-class"


ENCRYPTION: Final = "server-side-encryption"


REDIRECT: Final = "website-redirect-location"
"""What is kept like a header, under a name that no service has a prefix for: see `Detail`."""
