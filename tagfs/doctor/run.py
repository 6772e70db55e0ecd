"""The whole examination, in an order in which each step makes sense only after the one before."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace

from tagfs.config.bucket_settings import bucket_settings
from tagfs.config.settings import Settings
from tagfs.doctor.findings import Finding, Level, fail, ok, warning
from tagfs.doctor.host_checks import Host, check_host
from tagfs.doctor.identity_checks import check_abac, check_identity
from tagfs.doctor.network_checks import check_network
from tagfs.doctor.read_checks import check_rights
from tagfs.doctor.service_checks import check_bucket, check_credentials, check_kind
from tagfs.doctor.write_checks import check_writing
from tagfs.errors import SettingsError, TagfsError
from tagfs.store.certificates import find_trust
from tagfs.store.client.client import Client, credentials_for, open_bucket
from tagfs.store.credentials.values import CredentialsProvider

PATIENCE = 10.0
"""Seconds for one request: a user waits."""


def examine(
    settings: Settings, *, write: bool, host: Host | None = None
) -> Generator[Finding, None, None]:
    """Yield findings as they are made; what depends on a failure is not tried."""
    yield from check_host(settings, host or Host())
    choice = replace(bucket_settings(settings), timeout=min(PATIENCE, settings.timeout))
    try:
        provider = credentials_for(choice)
        client = open_bucket(choice, provider)
    except SettingsError as error:
        yield fail("settings", "not enough, or not of one another", str(error))
        return
    with closing(client):
        found = check_credentials(provider)
        yield found
        reached = True
        options, began_at = client.transport.options, client.transport.endpoint
        yield ok("endpoint", str(began_at))
        for step in check_network(
            client.transport.endpoint, options.trust or find_trust(None), options.proxy
        ):
            yield step
            reached = step.level is not Level.FAIL or step.check == "clock"
        if reached and found.level is not Level.FAIL:
            yield from _examine_bucket(client, settings, provider, write=write)
            if (found_at := client.transport.endpoint) != began_at:
                moved = f"the service wanted to be asked at {found_at}"
                yield warning("endpoint", moved, "choose that, and each start asks once less")


def _examine_bucket(
    client: Client, settings: Settings, provider: CredentialsProvider, *, write: bool
) -> Iterator[Finding]:
    choice, prefix = bucket_settings(settings), settings.url.prefix
    for finding in check_bucket(client, choice, provider, prefix):
        yield finding
        if finding.level is Level.FAIL:
            return
    yield from check_identity(client)
    yield from check_kind(client)
    yield from check_abac(client)
    try:
        client.probe(prefix)
        yield from check_rights(client, prefix)
        if write:
            yield from check_writing(client, prefix)
    except TagfsError as error:
        yield fail("service", "it stopped answering", str(error))
