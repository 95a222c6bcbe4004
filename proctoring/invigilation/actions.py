"""What an invigilator can do to an attempt, and what they must say: the vocabulary, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.errors import InvalidInput
from proctoring.logs.reason_codes import REASON_CODES

MAX_MESSAGE = 1000
MAX_COMMENT = 2000
MAX_MINUTES = 1440


class Action(TextChoices):
    PAUSE = "pause", gettext_lazy("Pause")
    RESUME = "resume", gettext_lazy("Resume")
    EXTEND = "extend", gettext_lazy("Extend")
    TERMINATE = "terminate", gettext_lazy("Terminate")
    VOID = "void", gettext_lazy("Void")
    MESSAGE = "message", gettext_lazy("Send a message")
    FLAG = "flag", gettext_lazy("Flag")
    RELOAD = "reload", gettext_lazy("Load the page again")


UNDOABLE = frozenset({Action.PAUSE, Action.RESUME, Action.EXTEND})
"""Those with a step that takes them back. What was read, ended or noted stays so."""


SPEAKING = frozenset({Action.PAUSE, Action.RESUME, Action.EXTEND, Action.TERMINATE, Action.MESSAGE})
"""Those that may come with a text for the candidate."""


def action_choices() -> list[tuple[str, Any]]:
    return Action.choices


@dataclass(frozen=True, kw_only=True, slots=True)
class Why:
    """A person's reason: a known cause, and their own words. Raises ``InvalidInput``."""

    reason_code: int
    comment: str

    def __post_init__(self) -> None:
        if errors := self.errors():
            raise InvalidInput(errors=errors)

    def errors(self) -> dict[str, list[str]]:
        errors = {}
        if self.reason_code not in REASON_CODES:
            errors["reason_code"] = [_("This is no known reason code.")]
        if not 0 < len(self.comment.strip()) <= MAX_COMMENT:
            errors["comment"] = [_("Say why, in at most %d characters.") % MAX_COMMENT]
        return errors

    @property
    def reason(self) -> str:
        """The cause before the words, as the history keeps it."""
        return f"{self.reason_code}: {self.comment}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish(Why):
    """What somebody wants done, and why. Raises ``InvalidInput``, also for a parameter that is missing."""

    action: Action
    minutes: int | None = None
    """Of ``extend``."""
    text: str = ""
    """Of ``SPEAKING``: plain text, for the candidate. Where it is all there is to do, it must be there."""

    def errors(self) -> dict[str, list[str]]:
        # Not super(): a dataclass with slots is another class than the one that was written here.
        errors = Why.errors(self)
        if self.action == Action.EXTEND and not 1 <= (self.minutes or 0) <= MAX_MINUTES:
            errors["minutes"] = [_("Must be between 1 and %d.") % MAX_MINUTES]
        shortest = 1 if self.action == Action.MESSAGE else 0
        if self.action in SPEAKING and not shortest <= len(self.text.strip()) <= MAX_MESSAGE:
            errors["text"] = [
                _("Must be between %(least)d and %(most)d characters.") % {"least": shortest, "most": MAX_MESSAGE}
            ]
        return errors
