"""What the script of an attempt's page is told: addresses, a token, what it notes, and its words. No statement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings as django_settings
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from proctoring.attempts.models import Attempt
from proctoring.attempts.reporting import AFTERWARDS
from proctoring.attempts.states import RUNNING, Status
from proctoring.attempts.tokens import PageClaims, issue_page_token
from proctoring.conf import PAGE_BLOCKS, PAGE_KINDS, settings
from proctoring.exams.models import Exam

FILES = tuple(
    f"proctoring/{name}.js"
    for name in (
        *("page/buffer", "page/line", "page/heart", "page/watch", "page/notices", "page/commands"),
        "proctoring",
    )
)
"""In this order: the last one puts the others together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What the LMS says about one page of its own."""

    item: str = ""
    """Under which id the page is noted as visited."""
    without: Iterable[str] = ()
    """Kinds that are not noted here, whatever the settings say."""
    also: Iterable[str] = ()
    """Kinds that are."""
    block: Iterable[str] = ()
    """Kinds that are stopped as well."""

    def __post_init__(self) -> None:
        unknown = {*self.without, *self.also} - {*PAGE_KINDS} | {*self.block} - {*PAGE_BLOCKS}
        if unknown:
            raise ValueError(f"no such kinds: {', '.join(sorted(unknown))}; known are {', '.join(PAGE_KINDS)}.")


def page_config(
    attempt: Attempt, exam: Exam, *, now: datetime, csrf_token: str = "", wishes: Wishes | None = None
) -> dict[str, Any] | None:
    """What the script gets as JSON; None where a page of this attempt has nothing to report.

    The caller makes sure that it is the candidate who looks: the token speaks for them.
    """
    wishes = wishes or Wishes()
    status = _status(attempt, now)
    if status is None or attempt.erased_at is not None:
        return None
    beats = status in RUNNING
    if not beats and (attempt.ended_at is None or now - attempt.ended_at > AFTERWARDS):
        return None
    blocks = {*settings.page_blocks, *wishes.block} - {*wishes.without}
    return {
        "attempt": attempt.pk,
        "status": status.value,
        "beats": beats,
        "running": sorted(status.value for status in RUNNING),
        "interval": exam.heartbeat_seconds,
        "token": page_token(attempt, now),
        "csrf": _csrf(csrf_token),
        "urls": _urls(attempt, exam),
        "item": wishes.item,
        "notes": sorted(({*settings.page_notes, *wishes.also} | blocks) - {*wishes.without}),
        "blocks": sorted(blocks),
        "language": get_language() or "",
        "texts": _texts(),
    }


def page_token(attempt: Attempt, now: datetime) -> str | None:
    return issue_page_token(PageClaims(user=str(attempt.user_id), attempt=attempt.pk), now=now)


def _status(attempt: Attempt, now: datetime) -> Status | None:
    try:
        return attempt.status_at(now)
    except ValueError:
        return None


def _urls(attempt: Attempt, exam: Exam) -> dict[str, str]:
    return {
        "heartbeat": reverse("proctoring:attempt_heartbeat", args=[attempt.pk]),
        "events": reverse("proctoring:attempt_events", args=[attempt.pk]),
        "state": reverse("proctoring:exam_state", args=[exam.pk]),
        "page": reverse("proctoring:exam_page", args=[exam.pk]),
        "ticker": static("proctoring/page/ticker.js"),
    }


def _csrf(token: str) -> dict[str, str]:
    """For the session, where the token is too old or there is none. The cookie is newer than the page."""
    readable = not django_settings.CSRF_USE_SESSIONS and not django_settings.CSRF_COOKIE_HTTPONLY
    header = django_settings.CSRF_HEADER_NAME.removeprefix("HTTP_").replace("_", "-")
    return {
        "cookie": django_settings.CSRF_COOKIE_NAME if readable else "",
        "header": header,
        "token": token,
    }


def _texts() -> dict[str, str]:
    return {
        "offline": _(
            "No connection to the server. Go on working and leave this page open: it keeps trying, and reports later "
            "what it cannot report now. Your time goes on."
        ),
        "online": _("The connection is back."),
        "loggedOut": _(
            "You are not logged in any more. Go on here, but log in again in another tab, so that your answers are "
            "kept."
        ),
        "logIn": _("Log in (new tab)"),
        "message": _("Message from the proctor"),
        "close": _("Close"),
        "paused": _("Your exam is paused"),
        "pausedMore": _("The clock stands still. You lose no time. The questions open again when the pause is over."),
        "pauseNotice": _("Your exam was paused."),
        "resumeNotice": _("Your exam goes on."),
        "ended": _("Your exam was ended"),
        "extended": _("You have {minutes} more minutes."),
        "timeChanged": _("Your time was changed."),
    }
