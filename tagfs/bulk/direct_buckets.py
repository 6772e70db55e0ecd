"""Buckets that a command opens itself.

Loaded by a command that runs, not by one that is asked for its help: with this comes all that
speaks to a service.
"""

from dataclasses import replace

from tagfs.config.bucket_settings import bucket_settings, catalogue_file
from tagfs.config.settings import Settings
from tagfs.store.client.client import Client, credentials_for, find_dialect, open_bucket
from tagfs.store.dialects.dialect import Dialect


def dialect_of(settings: Settings) -> Dialect:
    """Return how the service of a bucket differs."""
    return find_dialect(bucket_settings(settings))


def open_directly(settings: Settings, parallel: int) -> Client:
    """Open a bucket as a mount with these settings would, with the command's own parallelism.

    Raises:
        SettingsError, BadCredentials
    """
    wanted = replace(bucket_settings(settings), parallel=parallel + 1)  # and the listing
    provider = credentials_for(wanted)
    provider.get()
    return open_bucket(wanted, provider)


def catalogue_name(settings: Settings) -> str:
    """Return the name of the file in which this host keeps what it learns of a bucket."""
    return catalogue_file(settings)
