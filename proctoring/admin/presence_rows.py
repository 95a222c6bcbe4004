"""How the page of an attempt is connected, and what it was told: in lists, and on the attempt's page."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.rendering import EMPTY, Table, moment, short
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import OPEN
from proctoring.monitoring.models import Command, Presence, SeenAddress, page_in_state
from proctoring.monitoring.quality import State
from proctoring.permissions import may_invigilate, may_view_logs

if TYPE_CHECKING:
    from proctoring.host import User

SHOWN = 20
"""Commands on the page of an attempt. The log has them all."""


class ConnectionFilter(admin.SimpleListFilter):
    """Of attempts that are open: how their page stands at this moment."""

    title = gettext_lazy("connection")
    parameter_name = "connection"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return State.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Attempt]:
        state = self.value()
        if state not in State.values:
            return queryset
        is_so = page_in_state(State(state or ""), timezone.now(), "presence__")
        found: QuerySet[Attempt] = queryset.filter(is_so, status__in=OPEN)
        return found


def presence_of(attempt: Attempt) -> Presence | None:
    """None while nobody has heard of its page. Wants ``presence`` loaded."""
    return getattr(attempt, "presence", None)


def connection_in_words(attempt: Attempt, now: datetime) -> str:
    """Of an open attempt; a word in a frame where somebody should look."""
    presence = presence_of(attempt)
    if presence is None or not attempt.traits.open:
        return EMPTY
    state = presence.state_at(now)
    if state == State.ONLINE:
        return str(state.label)
    frame = "p-badge p-badge-rejected" if state == State.LOST else "p-badge p-badge-scheduled"
    return format_html('<span class="{}">{}</span>', frame, state.label)


def connection_facts(attempt: Attempt, now: datetime) -> list[tuple[str, str]]:
    """For the summary of an attempt: how it is connected while it is open, and whether its log lacks something."""
    presence = presence_of(attempt)
    if presence is None:
        return []
    cut = _("It sent %s; no more of them are kept.") % localize(presence.page_events)
    lacks = [(_("Events from its page"), cut)] if presence.is_full else []
    if not attempt.traits.open:
        return lacks
    facts = [
        (_("Connection"), f"{presence.state_at(now).label}, {presence.get_quality_display()}"),
        (_("Last heard of"), moment(presence.last_seen_at)),
    ]
    if presence.lost_since is not None:
        facts.append((_("Lost since"), moment(presence.lost_since)))
    if presence.ip:
        facts.append((_("Address"), presence.ip))
    return [*facts, *lacks]


def commands_of(attempt: Attempt, viewer: User) -> list[Table]:
    """What the candidate's page was told, for whom the log is open; a statement, and nothing for anybody else."""
    if not may_view_logs(viewer, attempt.exam.course_id):
        return []
    found = list(Command.objects.filter(attempt=attempt.pk).select_related("by").order_by("-pk")[: SHOWN + 1])
    return [
        Table(
            name="commands",
            title=_("Sent to the candidate’s page"),
            headers=(_("When"), _("What"), _("Text"), _("Who"), _("Seen"), _("Carried out")),
            rows=[
                (
                    moment(command.sent_at),
                    _what(command),
                    short(command.text),
                    str(command.by) if command.by is not None else _("the system"),
                    moment(command.seen_at) or _("not yet"),
                    moment(command.applied_at) or _("not yet"),
                )
                for command in found[:SHOWN]
            ],
            empty=_("Nothing yet."),
            notes=[_("Only the newest %d are shown.") % SHOWN] if len(found) > SHOWN else [],
        )
    ]


def addresses_of(attempt: Attempt, viewer: User) -> list[Table]:
    """Where its page came from, and how many others at the exam came from there too; a statement, for invigilators."""
    if not may_invigilate(viewer, attempt.exam.course_id):
        return []
    same = SeenAddress.objects.filter(exam=OuterRef("exam"), ip=OuterRef("ip")).exclude(attempt__user=attempt.user_id)
    others = same.order_by().values("exam").annotate(people=Count("attempt__user", distinct=True)).values("people")
    rows = SeenAddress.objects.filter(attempt=attempt.pk).annotate(others=Subquery(others)).order_by("first_seen_at")
    return [
        Table(
            name="addresses",
            title=_("Addresses of the candidate’s page"),
            headers=(_("Address"), _("First seen"), _("Other candidates of the exam from there")),
            rows=[(row.ip, moment(row.first_seen_at), localize(row.others or 0)) for row in rows],
            empty=_("None was noted."),
        )
    ]


def _what(command: Command) -> str:
    if command.minutes is None:
        return str(command.get_kind_display())
    return _("%(what)s: %(minutes)s minutes") % {
        "what": command.get_kind_display(),
        "minutes": localize(command.minutes),
    }
