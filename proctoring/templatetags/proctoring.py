"""``{% load proctoring %}``: bar, script and onboarding for the host's pages, and how times are written on ours."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.template.defaultfilters import date as format_date
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from proctoring.attempts.models import Attempt
from proctoring.attempts.standing import own_onboarding
from proctoring.candidate.context import STEADY, USUAL_POLL_SECONDS
from proctoring.candidate.script import FILES, Wishes, page_config
from proctoring.candidate.situation import look
from proctoring.exams.models import Exam

register = template.Library()


@register.inclusion_tag("proctoring/exam_bar.html", takes_context=True)
def exam_bar(context: template.Context, exam: Exam, **wishes: str) -> dict[str, Any]:
    """Timer, way back and way out, inside the host's page of questions. Needs ``request`` in the context.

    One statement. It shows and leaves; whether the questions may be shown is ``attempts.access.decide``'s to say. It
    brings ``{% proctoring_page %}`` along, with the same ``wishes``; the page's id is the exam's ``content_id`` where
    ``item`` names no other.
    """
    situation = look(exam, context["request"].user, now=timezone.now())
    return {
        "situation": situation,
        "exam": exam,
        "attempt": situation.attempt,
        "poll_seconds": 15 if situation.screen in STEADY else USUAL_POLL_SECONDS,
        "script": _script(context, situation.attempt, exam, {"item": exam.content_id, **wishes}),
    }


@register.inclusion_tag("proctoring/page_script.html", takes_context=True)
def proctoring_page(context: template.Context, attempt: Attempt | None, **wishes: str) -> dict[str, Any]:
    """The script of an attempt's page: heartbeats, events, what a proctor wants done there (docs/script.rst).

    Needs ``request`` in the context. No statement where ``attempt.exam`` is loaded. Nothing at all where there is
    nothing to report, or where somebody else than the candidate looks. ``wishes``: ``item``, the id of this page, and
    ``without``, ``also``, ``block``, kinds with spaces between them.
    """
    return {"script": _script(context, attempt, None, wishes)}


def _script(
    context: template.Context, attempt: Attempt | None, exam: Exam | None, wishes: dict[str, str]
) -> dict[str, Any] | None:
    if attempt is None or attempt.user_id != context["request"].user.pk:
        return None
    item = wishes.pop("item", "")
    said = Wishes(item=str(item), **{name: str(kinds).split() for name, kinds in wishes.items()})
    token = str(context.get("csrf_token", ""))
    config = page_config(attempt, exam or attempt.exam, now=timezone.now(), csrf_token=token, wishes=said)
    return config and {"config": config, "files": FILES}


@register.inclusion_tag("proctoring/onboarding.html", takes_context=True)
def proctoring_onboarding(context: template.Context, course_id: str) -> dict[str, Any]:
    """Where the person stands with the course's onboarding and what to do next, for the host's page of the course.

    Needs ``request`` in the context. Three statements, and two questions to the host for each onboarding exam. Nothing
    at all where nobody is logged in, or where the course has no onboarding exam that they may take.
    """
    user = context["request"].user
    known = own_onboarding(user, course_id, now=timezone.now()) if user.is_authenticated else None
    return {"onboarding": known}


@register.simple_tag
def moment(value: datetime | None) -> SafeString | str:
    """A moment in the current time zone, with the zone's name."""
    if value is None:
        return ""
    local = timezone.localtime(value)
    text = format_date(local, "DATETIME_FORMAT")
    return format_html(
        '<time datetime="{}">{} ({})</time>', value.isoformat(), text, timezone.get_current_timezone_name()
    )


@register.filter
def clock(seconds: int | None) -> str:
    """Seconds as ``h:mm:ss`` or ``mm:ss``, as the script writes them."""
    if seconds is None:
        return ""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


@register.filter
def duration(seconds: int) -> str:
    """Seconds in words: hours and minutes, and seconds where there is less than a minute."""
    if seconds < 60:
        return ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds}
    hours, minutes = divmod(seconds // 60, 60)
    in_minutes = ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
    if not hours:
        return in_minutes
    in_hours = ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    return in_hours if not minutes else _("%(hours)s %(minutes)s") % {"hours": in_hours, "minutes": in_minutes}
