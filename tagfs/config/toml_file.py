"""The settings file: which of its sections speak for one bucket, as choices with their places.

    [default]                  for every bucket
    [bucket."oss://photos"]    for this bucket, or the part of it below a prefix
    [profile.backup]           where -o profile=backup asks for it
    [[rules]]                  rules about tags; in a section, such as [[default.rules]], as well

The user's file goes before the system's, and in a file a profile before a bucket before the
default. Secrets do not belong in it: who may read how a bucket is mounted need not have them.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tagfs.config.options import SOURCES
from tagfs.config.settings import BucketUrl, OptionValue, parse_url
from tagfs.errors import SettingsError
from tagfs.localfiles.toml_text import parse_toml
from tagfs.localfiles.trusted import Unreadable, Untrusted, expand, home, read_trusted
from tagfs.rules.place import RulesPlace

SYSTEM_FILE: Final = Path("/etc/tagfs.toml")
NAME: Final = "tagfs.toml"

RULES: Final = "rules"
_SECTIONS = ("default", "bucket", "profile")
_SECRETS = re.compile(
    r"(.*_)?(ak|sk|secret|secret_?key|secret_access_key|access_?key(_?id|_?secret)?"
    r"|password|passwd|(security|session|sts)_?token|token)"
)
_OCTAL: Final = {"umask": "022", "file_mode": "644", "dir_mode": "755"}
_FOR_PROXY = "put the URL in a file of mode 0600 and name that by proxy"
_FOR_CREDENTIALS = "put it in a file of mode 0600 and name that by credentials="


class ConfigFiles:
    """The settings files of one command.

    Attributes:
        mistakes: what is wrong with them, each with its place.
    """

    def __init__(self, chosen: str | None, environment: Mapping[str, str]) -> None:
        """Read the file that was chosen, else the user's and the system's."""
        self.mistakes: list[str] = []
        self._files: list[tuple[Path, Mapping[str, Any]]] = []
        for path in _places(chosen, environment):
            self._read(path, needed=chosen is not None)

    def givens(self, url: BucketUrl | None, profile: str | None) -> list[OptionValue]:
        """Return what the sections for a bucket choose, the first of a name being the one to take.

        Without a bucket, what holds for all.
        """
        if profile is not None:
            self._check_profile(profile)
        found: list[OptionValue] = []
        for path, document in self._files:
            for name, table in self._sections(path, document, url, profile):
                found += self._choices(path, name, table)
        return found

    def _read(self, path: Path, *, needed: bool) -> None:
        reason = ""
        document: dict[str, Any] = {}
        try:
            document = parse_toml(read_trusted(path))
        except FileNotFoundError:
            if needed:
                self.mistakes.append(f"config={path}: no such file")
            return
        except Unreadable as error:  # another user's home, or root's own settings
            if not needed:
                return
            reason = str(error)
        except Untrusted as error:
            reason = str(error)
        except ValueError as error:
            reason = f"{path}: {error}"
        if reason:
            self.mistakes.append(reason)
            return
        self._check_sections(path, document)
        self._files.append((path, document))

    def _check_sections(self, path: Path, document: Mapping[str, Any]) -> None:
        for name, table in document.items():
            if name == RULES:
                if not isinstance(table, list):
                    self.mistakes.append(f"{path}: rules: write a table [[rules]] for each")
            elif name not in _SECTIONS:
                near = difflib.get_close_matches(name, _SECTIONS, 1)
                known = f"did you mean [{near[0]}]?" if near else f"there are {_SECTIONS}"
                self.mistakes.append(f"{path}: [{name}] is no section: {known}")
            elif name != "default":
                inner = table.items() if isinstance(table, dict) else [("", table)]
                form = '[bucket."SERVICE://NAME"]' if name == "bucket" else "[profile.NAME]"
                self.mistakes += [
                    f"{path}: {name}.{key}: write it below {form}"
                    for key, value in inner
                    if not isinstance(value, dict)
                ]

    def _check_profile(self, profile: str) -> None:
        known = {name for _, document in self._files for name in _table(document, "profile")}
        if profile in known:
            return
        near = difflib.get_close_matches(profile, sorted(known), 1)
        hint = f"did you mean {near[0]!r}?" if near else "there is no such section in a tagfs.toml"
        self.mistakes.append(f"profile={profile}: {hint}")

    def _sections(
        self, path: Path, document: Mapping[str, Any], url: BucketUrl | None, profile: str | None
    ) -> Iterator[tuple[str, Any]]:
        """Yield the tables that speak for a bucket, the most particular first."""
        if profile is not None and profile in _table(document, "profile"):
            yield f"profile.{profile}", document["profile"][profile]
        matching: list[tuple[int, str]] = []
        for text, table in _table(document, "bucket").items():
            if not isinstance(table, dict):
                continue  # said already
            try:
                named = parse_url(text)
            except SettingsError as error:
                self.mistakes.append(f"{path}: bucket: {error}")
                continue
            same = url and (named.service, named.bucket) == (url.service, url.bucket)
            if url and same and url.prefix.startswith(named.prefix):
                matching.append((len(named.prefix), text))
        for _, text in sorted(matching, reverse=True):
            yield f'bucket."{text}"', document["bucket"][text]
        if "default" in document:
            yield "default", document["default"]
        if RULES in document:
            yield "", {RULES: document[RULES]}

    def _choices(self, path: Path, section: str, table: Any) -> Iterator[OptionValue]:
        where = f"{path}: {section}"
        if not isinstance(table, dict):
            self.mistakes.append(f"{where} is not a section")
            return
        for name, value in table.items():
            origin = f"{where}.{name}" if section else f"{where}{name}"
            if _SECRETS.fullmatch(name.lower()):
                self.mistakes.append(f"{origin}: a secret does not belong here: {_FOR_CREDENTIALS}")
            elif name == "proxy" and re.search(r":[^/@]*@", str(value)):
                self.mistakes.append(f"{origin}: a password does not belong here: {_FOR_PROXY}")
            elif name in SOURCES:
                self.mistakes.append(f"{origin}: is for the command line and the environment alone")
            elif name in _OCTAL and isinstance(value, int):
                self.mistakes.append(
                    f'{origin}: write it in quotes, as in {name} = "{_OCTAL[name]}"'
                )
            elif name == RULES and isinstance(value, list):
                yield OptionValue(name, str(RulesPlace(path.absolute(), section)), origin)
            elif isinstance(value, (bool, int, float, str)):
                yield OptionValue(name, value if isinstance(value, bool) else str(value), origin)
            else:
                self.mistakes.append(f"{origin}: expected a text, a number, true or false")


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _places(chosen: str | None, environment: Mapping[str, str]) -> Iterator[Path]:
    if chosen is not None:
        yield expand(chosen, environment)
        return
    base = environment.get("XDG_CONFIG_HOME")
    own = home(environment)
    if base:
        yield Path(base) / NAME
    elif own is not None:
        yield own / ".config" / NAME
    yield SYSTEM_FILE
