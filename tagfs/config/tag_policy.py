"""The rules that a user chose, read for the service that they are for."""

from tagfs.config.settings import Settings
from tagfs.rules.policy import NO_POLICY, Mode, Policy


def tag_policy(settings: Settings) -> Policy:
    """Return the rules of a mount, and how strictly they hold.

    Raises:
        RulesError: the file cannot be read, or is wrong.
    """
    if settings.rules is None:
        return NO_POLICY
    from tagfs.config.bucket_settings import bucket_settings  # noqa: PLC0415
    from tagfs.rules.rules_file import read_rules  # noqa: PLC0415  (few mounts have any)
    from tagfs.store.client.client import find_dialect  # noqa: PLC0415

    dialect = find_dialect(bucket_settings(settings))
    return Policy(read_rules(settings.rules, dialect.object_tag_rules), Mode(settings.policy))
