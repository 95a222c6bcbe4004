"""What an attempt's page shows below its status: each table costs a statement, whatever is in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import OuterRef, Q, Subquery
from django.utils.formats import localize
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from proctoring.admin.base import is_own
from proctoring.admin.event_rows import cause_in_words, events_of
from proctoring.admin.presence_rows import addresses_of, commands_of, connection_facts
from proctoring.admin.rendering import EMPTY, Table, bullets, link_to, link_to_list, minutes, moment, short
from proctoring.admin.words import actor_in_words, delivery_in_words, failure_in_words, reason_in_words
from proctoring.allowances.computation import in_force
from proctoring.allowances.models import WHOLE_COURSE, Allowance
from proctoring.attempts.chains import chain_among, without_verdict
from proctoring.attempts.models import Attempt, RetryKind, TimeEntry
from proctoring.attempts.states import Status
from proctoring.attempts.timing import EntryKind
from proctoring.exams.models import ExamType
from proctoring.outbox.models import Delivery, DeliveryStatus, DeliveryTarget
from proctoring.permissions import is_course_staff
from proctoring.reviews.models import Rating, Review

if TYPE_CHECKING:
    from proctoring.host import User

SHOWN = 100
"""Rows of a table. What is older is said to be left out; the lists and the history have it."""


def tables(attempt: Attempt, viewer: User, now: datetime) -> list[Table]:
    """In the order in which staff look. Of one's own attempt what a candidate may know: no word of a reviewer's."""
    if is_own(viewer, attempt):
        return [_ledger(attempt), _chain(attempt, now)]
    return [
        _ledger(attempt),
        _allowances(attempt, viewer),
        _reviews(attempt),
        _ratings(attempt),
        _chain(attempt, now),
        *events_of(attempt, viewer),
        *commands_of(attempt, viewer),
        *addresses_of(attempt, viewer),
        _happenings(attempt),
        _deliveries(attempt, viewer),
    ]


def _bounded(rows: Iterable[Any]) -> tuple[list[Any], list[object]]:
    """The rows that are shown, and what is said of the others. ``rows`` is cut off one row later."""
    found = list(rows)
    return found[:SHOWN], [_("Only the newest %d are shown.") % SHOWN] if len(found) > SHOWN else []


def _ledger(attempt: Attempt) -> Table:
    rows, notes = _bounded(attempt.time_entries.select_related("by").order_by("-pk")[: SHOWN + 1])
    return Table(
        name="ledger",
        title=_("Ledger of time"),
        headers=(_("When"), _("Kind"), _("Time"), _("Counts"), _("Who"), _("Why")),
        rows=[
            (
                moment(row.at),
                _("%s, taken back") % row.get_kind_display() if row.reverses_id else row.get_kind_display(),
                minutes(row.seconds),
                row.get_state_display(),
                _who(row.by),
                cause_in_words(row.reason_code, row.note),
            )
            for row in rows
        ],
        empty=_("No entries."),
        notes=[_("In all: %s") % minutes(attempt.total_seconds), *notes],
    )


def _who(person: Any) -> str:
    return str(person) if person is not None else _("the system")


def _allowances(attempt: Attempt, viewer: User) -> Table:
    """What counts for this person at this exam. Why it was granted is for staff: it may be about somebody's health."""
    course_id = attempt.exam.course_id
    granted = Allowance.objects.filter(
        Q(exam_slot=attempt.exam_id) | Q(exam_slot=WHOLE_COURSE), user=attempt.user_id, course_id=course_id
    ).select_related("granted_by")
    staff = is_course_staff(viewer, course_id)
    has_page = staff and admin.site.is_registered(Allowance)
    return Table(
        name="allowances",
        title=_("Allowances in force"),
        headers=(_("Kind"), _("What"), _("For"), *((_("Granted by"), _("Note")) if staff else ())),
        rows=[
            (
                link_to("allowance", row.pk, row.get_kind_display(), permitted=has_page),
                row.value,
                _("this exam") if row.exam_slot else _("the whole course"),
                *((_who(row.granted_by), row.note) if staff else ()),
            )
            for row in in_force(granted, attempt.exam_id, course_id).values()
        ],
        empty=_("None."),
    )


def _reviews(attempt: Attempt) -> Table:
    found = attempt.reviews.defer("payload", "sealed_video_url").select_related("author").prefetch_related("comments")
    rows, notes = _bounded(found[: SHOWN + 1])
    return Table(
        name="reviews",
        title=_("Reviews"),
        headers=(_("When"), _("Verdict"), _("Source"), _("Who"), _("Applied"), _("Comments")),
        rows=[
            (
                moment(row.occurred_at),
                link_to("review", row.pk, row.get_status_display()),
                row.get_source_display(),
                row.author or row.reviewed_by,
                moment(row.applied_at) if row.applied_at else _not_applied(row),
                bullets([row.note] * bool(row.note) + [_comment(one) for one in row.comments.all()[:SHOWN]]),
            )
            for row in rows
        ],
        empty=_("No verdict yet."),
        notes=notes,
    )


def _not_applied(review: Review) -> str:
    return _("no: %s") % review.not_applied_reason.replace("_", " ") if review.not_applied_reason else _("no")


def _comment(comment: Any) -> str:
    """Where in the recording, what, how grave."""
    places = [f"{at // 60}:{at % 60:02d}" for at in (comment.start_seconds, comment.stop_seconds) if at is not None]
    grave = f" ({comment.severity})" if comment.severity else ""
    return ": ".join(part for part in ("–".join(places), comment.text) if part) + grave


def _ratings(attempt: Attempt) -> Table:
    rows, notes = _bounded(Rating.objects.filter(attempt=attempt).select_related("by")[: SHOWN + 1])
    return Table(
        name="ratings",
        title=_("Ratings"),
        headers=(_("When"), _("Risk"), _("As given"), _("Source"), _("Counts")),
        rows=[
            (
                moment(row.rated_at),
                f"{row.risk:.0%}",
                f"{row.raw_value} ({row.raw_scale})" if row.raw_scale else row.raw_value,
                row.by or row.get_source_display(),
                _("yes") if row.is_current else _("no"),
            )
            for row in rows
        ],
        empty=_("None."),
        notes=notes,
    )


def _chain(attempt: Attempt, now: datetime) -> Table:
    """All attempts of this person at this exam, which one went on with which one's time, and with how much."""
    carried = TimeEntry.objects.filter(attempt=OuterRef("pk"), kind=EntryKind.CARRIED_OVER).order_by("pk")
    found = Attempt.objects.filter(exam=attempt.exam_id, user=attempt.user_id).order_by("-number")
    found = found.select_related("resumed_from", "retry_granted_by").defer("launch_data", "review_policy")
    rows, notes = _bounded(found.annotate(carried=Subquery(carried.values("seconds")[:1]))[: SHOWN + 1])
    return Table(
        name="chain",
        title=_("Attempts of this person"),
        headers=(_("Attempt"), _("Status"), _("Started"), _("Ended"), _("Time"), _("Retry granted")),
        rows=[
            (
                link_to("attempt", row.pk, f"#{row.number}", permitted=row.pk != attempt.pk),
                row.status_at(now).label,
                moment(row.started_at),
                moment(row.ended_at),
                _time_of(row),
                _retry(row),
            )
            for row in rows
        ],
        notes=[*_still_without_verdict(attempt, rows), *notes],
    )


def _still_without_verdict(attempt: Attempt, rows: list[Attempt]) -> list[str]:
    """Which parts of a resumed exam keep it from being verified, where it has several."""
    chain = chain_among(rows)
    if attempt.exam.exam_type != ExamType.PROCTORED or len(chain) == 1 or not chain[-1].taking_as_proctored:
        return []
    parts = ", ".join(f"#{part.number}" for part in without_verdict(chain))
    return [_("Credit and the mail wait for a verdict on every part. Still without one: %s.") % parts] if parts else []


def _time_of(row: Any) -> str:
    total = minutes(row.total_seconds)
    if row.resumed_from is None:
        return total
    facts = {"total": total, "carried": minutes(row.carried), "number": row.resumed_from.number}
    return _("%(total)s, of which %(carried)s carried over from #%(number)d") % facts


def _retry(row: Attempt) -> str:
    if not row.retry_kind:
        return EMPTY
    kind = _("Resume") if row.retry_kind == RetryKind.RESUME else _("Fresh attempt")
    return _("%(kind)s, by %(who)s, %(when)s") % {
        "kind": kind,
        "who": _who(row.retry_granted_by),
        "when": moment(row.retry_granted_at),
    }


def _happenings(attempt: Any) -> Table:
    """The history in words: which status became which, by whom, and why."""
    versions = attempt.history.select_related("history_user").defer("launch_data", "review_policy")
    found = list(versions.order_by("-history_date", "-history_id")[: SHOWN + 1])
    older = [*found[1:], None]
    rows = [_happening(row, before) for row, before in zip(found[:SHOWN], older, strict=False)]
    return Table(
        name="history",
        title=_("What happened"),
        headers=(_("When"), _("What"), _("Who"), _("Why")),
        rows=rows,
        notes=[_("Only the newest %d are shown.") % SHOWN] if len(found) > SHOWN else [],
    )


def _happening(row: Any, before: Any) -> Sequence[object]:
    """Where the status stays as it was, the reason is what happened."""
    what, why = _label(row.status), reason_in_words(row.history_change_reason)
    if before is not None and before.status != row.status:
        what = f"{_label(before.status)} → {what}"
    elif before is not None and why:
        what, why = str(capfirst(why)), EMPTY
    return moment(row.history_date), what, actor_in_words(row, before), why


def _label(status: str) -> str:
    return str(Status(status).label) if status in Status.values else status


def _deliveries(attempt: Attempt, viewer: User) -> Table:
    found = Delivery.objects.filter(target=DeliveryTarget.ATTEMPT, target_id=attempt.pk)
    rows, notes = _bounded(found[: SHOWN + 1])
    may_open = viewer.has_perm("proctoring.view_delivery")
    query = {"target__exact": DeliveryTarget.ATTEMPT.value, "target_id__exact": attempt.pk}
    return Table(
        name="deliveries",
        title=_("Calls, effects on the LMS and mails"),
        headers=(_("To"), _("What"), _("Status"), _("When"), _("Tries"), _("Last error")),
        rows=[
            (
                row.backend or row.get_kind_display(),
                link_to("delivery", row.pk, delivery_in_words(row), permitted=may_open),
                row.get_status_display(),
                _("next try %s") % moment(row.next_try_at) if row.status == DeliveryStatus.DUE else moment(row.done_at),
                localize(row.tries),
                short(failure_in_words(row.last_error)),
            )
            for row in rows
        ],
        empty=_("Nobody was told anything yet."),
        more=link_to_list("delivery", query, _("Show all"), permitted=True) if may_open and rows else EMPTY,
        notes=notes,
    )


def summary(attempt: Attempt, now: datetime) -> list[tuple[str, str]]:
    """What staff look for first: the status, and how much time is left or was used."""
    status = attempt.status_at(now)
    facts = [(_("Status now"), str(status.label))]
    left = attempt.seconds_left(now)
    if left is not None:
        facts += [(_("Time left"), minutes(left)), (_("Deadline"), moment(attempt.expires_at))]
    elif status == Status.PAUSED:
        facts.append((_("Paused since"), moment(attempt.paused_at)))
        if attempt.closes_at is not None:
            facts.append((_("Ends at the latest"), moment(attempt.closes_at)))
    elif attempt.ended_at is not None or status != attempt.status:
        facts.append((_("Ended"), moment(attempt.ended_at or attempt.deadline)))
    elif attempt.closes_at is not None:
        facts.append((_("Closes"), moment(attempt.closes_at)))
    if attempt.retry_kind:
        facts.append((_("Retry"), str(RetryKind(attempt.retry_kind).label)))
    return [*facts, *connection_facts(attempt, now)]


def overdue_note(attempt: Attempt, now: datetime) -> str:
    """Why the row still says something else, where it does."""
    if not attempt.is_overdue(now):
        return EMPTY
    return _("The deadline has passed; the sweep has yet to write that down.")
