"""How strictly the rules hold on one mount."""

import enum
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tagfs.rules.rule import NO_RULES, Breach, Checked, Demands, RuleSet

log = logging.getLogger(__name__)


class Mode(enum.StrEnum):
    """What becomes of what breaks a rule."""

    ENFORCE = "enforce"
    WARN = "warn"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a mount. New files get the tags that these say in every mode."""

    rules: RuleSet = NO_RULES
    mode: Mode = Mode.ENFORCE

    def judge(self, path: str, breaches: Iterable[Breach]) -> None:
        """Refuse what breaks a rule, or note it in the log.

        Raises:
            RuleBroken, ValueNotAllowed: the first breach.
        """
        for breach in breaches:
            if self.mode is Mode.ENFORCE:
                raise breach.error(path)
            if self.mode is Mode.WARN:
                log.warning("%s (policy=warn)", breach.error(path))

    def judge_new(
        self, path: str, demands: Demands, tags: Mapping[str, str], moment: Checked
    ) -> None:
        """Judge the tags of a new object when the rules for it want that."""
        if demands.judges and demands.checked is moment:
            self.judge(path, demands.breaches(tags))


NO_POLICY: Final = Policy()
