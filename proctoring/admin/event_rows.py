"""Events of the log as staff read them: in words, and as a table on the page of their attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.formats import localize
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.rendering import EMPTY, Table, link_to_list, moment, short, vendor_name
from proctoring.logs.event_types import Severity
from proctoring.logs.models import Event, EventActor
from proctoring.logs.reason_codes import REASON_CODES
from proctoring.permissions import may_view_logs

if TYPE_CHECKING:
    from proctoring.attempts.models import Attempt
    from proctoring.host import User

SHOWN = 20
"""Events on the page of an attempt. The list has them all."""
ATTEMPT = "attempt__id__exact"
"""The parameter by which the list is about one attempt."""

SEVERITIES: Mapping[str, Promise] = {
    Severity.ALERT.value: gettext_lazy("Alert"),
    Severity.WARNING.value: gettext_lazy("Warning"),
    Severity.NOTICE.value: gettext_lazy("Notice"),
    Severity.INFO.value: gettext_lazy("Information"),
}
FRAMES = {Severity.ALERT.value: "p-badge p-badge-rejected", Severity.WARNING.value: "p-badge p-badge-scheduled"}
"""What a reader should not miss has a frame around its word."""

UNKNOWN = "unknown"
CATEGORIES: Mapping[str, Promise] = {
    "lifecycle": gettext_lazy("Steps of the attempt"),
    "time": gettext_lazy("Time"),
    "incident": gettext_lazy("Incidents"),
    "session": gettext_lazy("Proctored session"),
    "identity": gettext_lazy("Identity"),
    "precheck": gettext_lazy("Check before the exam"),
    "permission": gettext_lazy("Permissions of the browser"),
    "face": gettext_lazy("Faces"),
    "object": gettext_lazy("Objects"),
    "screen": gettext_lazy("Screen sharing"),
    "recording": gettext_lazy("Recording"),
    "focus": gettext_lazy("Window and full screen"),
    "activity": gettext_lazy("Activity"),
    "integrity": gettext_lazy("Integrity"),
    "connectivity": gettext_lazy("Connection"),
    "navigation": gettext_lazy("Navigation"),
    "answers": gettext_lazy("Answers"),
    "technical": gettext_lazy("Technical faults"),
    "command": gettext_lazy("Commands"),
    "review": gettext_lazy("Reviews"),
    "evidence": gettext_lazy("Sealing"),
    UNKNOWN: gettext_lazy("Unknown"),
}


def severity_in_words(event: Event) -> str:
    label = SEVERITIES.get(event.severity, event.severity)
    frame = FRAMES.get(event.severity)
    return format_html('<span class="{}">{}</span>', frame, label) if frame else str(label)


def category_in_words(event: Event) -> str:
    return str(CATEGORIES[event.known.category if event.known else UNKNOWN])


def who_acted(event: Event) -> str:
    """In which capacity, and who: an account, or the vendor by its alias. Wants ``actor_user`` loaded."""
    label = event.get_actor_display()
    by = str(event.actor_user) if event.actor_user is not None else EMPTY
    if event.actor == EventActor.VENDOR and event.backend:
        by = vendor_name(event.backend)
    return f"{label} ({by})" if by else str(label)


def cause_in_words(code: int | None, words: str) -> str:
    """A cause by its label where it is known, and what was said."""
    cause = REASON_CODES.get(code) if code is not None else None
    named = str(cause.label) if cause else EMPTY if code is None else str(code)
    return ": ".join(part for part in (named, words) if part)


def reason_of(event: Event) -> str:
    return cause_in_words(event.reason_code, event.reason_message or event.error)


def question_of(event: Event) -> str:
    return str(localize(event.question_number)) if event.question_number is not None else event.item_id


def events_of(attempt: Attempt, viewer: User) -> list[Table]:
    """The last events, for whom the log is open; a statement, and nothing for anybody else."""
    if not may_view_logs(viewer, attempt.exam.course_id):
        return []
    rows: Any = Event.objects.filter(attempt=attempt.pk).select_related("actor_user").defer("data", "user_agent")
    found = list(rows.order_by("-at", "-pk")[: SHOWN + 1])
    return [
        Table(
            name="events",
            title=_("Events during the exam"),
            headers=(_("When"), _("What"), _("How grave"), _("Who"), _("Why"), _("Question")),
            rows=[
                (
                    moment(event.at),
                    str(event),
                    severity_in_words(event),
                    who_acted(event),
                    short(reason_of(event)),
                    short(question_of(event)),
                )
                for event in found[:SHOWN]
            ],
            empty=_("Nothing yet."),
            more=link_to_list("event", {ATTEMPT: attempt.pk}, _("Show all")) if found else EMPTY,
            notes=[_("Only the newest %d are shown.") % SHOWN] if len(found) > SHOWN else [],
        )
    ]
