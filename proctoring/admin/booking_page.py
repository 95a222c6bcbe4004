"""What a booking's page shows: how it stands, what to do about a rejection, its candidates, its log, its plan.

Each table costs a bounded number of statements, whatever is in it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import BooleanField, Count, ExpressionWrapper, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.rendering import EMPTY, Table, link_to, link_to_list, moment, short
from proctoring.bookings.doctor import Advice, Mender
from proctoring.bookings.models import Booking, BookingLogEntry, LiveSession, RatingState
from proctoring.bookings.sessions import attempts_of
from proctoring.bookings.states import Status
from proctoring.conf import settings
from proctoring.permissions import may_watch
from proctoring.reviews.models import Rating

if TYPE_CHECKING:
    from proctoring.host import User

CANDIDATES = 500
ENTRIES = 100
PARTS = 100
"""Rows of a table. That there are more is said."""

MENDERS = {
    Mender.PLANNER: gettext_lazy("the planner"),
    Mender.SERVICE_DESK: gettext_lazy("the service desk"),
    Mender.VENDOR: gettext_lazy("the vendor"),
    Mender.ADMINISTRATOR: gettext_lazy("who administers this site"),
}


def with_counts(rows: QuerySet[Booking]) -> QuerySet[Booking]:
    """With ``n_candidates`` and ``n_parts`` of the plan."""
    sessions = LiveSession.objects.filter(booking=OuterRef("pk")).order_by().values("booking")
    parts = Booking.objects.filter(plan=OuterRef("plan")).order_by().values("plan")
    return rows.annotate(n_candidates=_count(sessions), n_parts=_count(parts))


def _count(groups: QuerySet[Any]) -> Coalesce:
    return Coalesce(Subquery(groups.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0)


def window(booking: Booking) -> str:
    """From when to when the exam is open, in the current time zone, which is named: on the day of a change twice."""
    return span(booking.starts_at, booking.ends_at)


def span(start: datetime, end: datetime) -> str:
    start, end = timezone.localtime(start), timezone.localtime(end)
    until = date_format(end, "TIME_FORMAT" if start.date() == end.date() else "DATETIME_FORMAT")
    first, second = start.tzname(), end.tzname()
    since = date_format(start, "DATETIME_FORMAT")
    return f"{since} – {until} ({first})" if first == second else f"{since} ({first}) – {until} ({second})"


def badge(status: str) -> SafeString:
    """A word, with a frame and colour of its own."""
    return format_html('<span class="p-badge p-badge-{}">{}</span>', status, Status(status).label)


def part_of_plan(booking: Any) -> str:
    return _("%(part)d of %(parts)d") % {"part": booking.part, "parts": booking.n_parts}


def how_many(booking: Any) -> str:
    """Candidates, with how many of them a proctor watches."""
    return f"{booking.n_candidates} (1:{booking.ratio})"


def successors(booking: Any) -> list[Booking]:
    """What it was given up for. Asked once: the page's form is put together several times."""
    if "_successors" not in booking.__dict__:
        booking._successors = list(booking.replaced_by.order_by("pk")[:10])
    found: list[Booking] = booking._successors
    return found


def what_is_next(booking: Booking, now: datetime) -> str:
    """What happens without anybody, or what has to be done."""
    tries = {"tries": booking.send_tries, "most": settings.booking_send_tries}
    checks = {"tries": booking.check_count, "most": settings.booking_check_tries, "at": moment(booking.next_check_at)}
    match booking.status:
        case Status.DRAFT:
            return _("to be scheduled")
        case Status.SCHEDULED if booking.send_tries:
            sent_at = moment(booking.next_send_at)
            return _("sent again %(at)s, after %(tries)d of %(most)d tries") % {"at": sent_at, **tries}
        case Status.SCHEDULED:
            return _("to be sent %s") % moment(booking.next_send_at)
        case Status.SENT:
            return _("the vendor is asked %(at)s, after %(tries)d of %(most)d checks") % checks
        case Status.CONFIRMED if booking.next_check_at is not None:
            return _("looked at again %s") % moment(booking.next_check_at)
        case Status.REJECTED if booking.advice is not None:
            return str(booking.advice.cause)
    return EMPTY


def summary(booking: Any, now: datetime) -> list[tuple[str, object]]:
    """What people look for first."""
    facts: list[tuple[str, object]] = [(_("Status"), badge(booking.status)), (_("Window"), window(booking))]
    if booking.n_parts > 1:
        facts.append((_("Part of the plan"), part_of_plan(booking)))
    facts.append((_("Candidates"), how_many(booking)))
    if booking.advice is None and (following := what_is_next(booking, now)):
        facts.append((_("What comes next"), following))
    return facts


def advice_of(booking: Booking) -> list[tuple[str, str]]:
    """The doctor's words about a rejection; nothing where there is none."""
    advice = booking.advice
    if advice is None:
        return []
    facts = [
        (_("Cause"), str(advice.cause)),
        (_("Who can mend it"), str(MENDERS[advice.mender])),
        (_("Next step"), str(advice.next_step)),
        (_("Sending it again"), _safety_of_sending(advice)),
        (_("Checking again"), _safety_of_checking(advice)),
    ]
    return [*facts, (_("Last error"), short(booking.last_error))] if booking.last_error else facts


def _safety_of_sending(advice: Advice) -> str:
    if advice.may_send_again:
        return _("Safe: it cannot be booked twice.")
    return _("Not safe: the vendor may hold the booking already.")


def _safety_of_checking(advice: Advice) -> str:
    if advice.may_check_again:
        return _("Safe: asking changes nothing at the vendor.")
    return _("Of no use: the vendor holds nothing that it could be asked about.")


def tables(booking: Booking, viewer: User) -> list[Table]:
    return [_candidates(booking, viewer), _log(booking), _parts(booking)]


def _candidates(booking: Booking, viewer: User) -> Table:
    """Whether there is a link, never the link: whoever has it can enter as the candidate."""
    linked = ExpressionWrapper(~Q(sealed_join_url=b""), output_field=BooleanField())
    found = booking.sessions.select_related("user", "booking").defer("sealed_join_url").annotate(linked=linked)
    rows: list[Any] = list(found.order_by("candidate_number")[: CANDIDATES + 1])
    shown = rows[:CANDIDATES]
    attempts = attempts_of(shown)
    risks = _risks([attempt.pk for attempt in attempts.values()])
    may_open = may_watch(viewer, booking.exam.course_id)

    def rating(session: Any) -> str:
        # Of themselves a person sees no more here than any candidate does.
        if session.user_id == viewer.pk and not viewer.is_superuser:
            return EMPTY
        attempt = attempts.get(session.pk) if session.rating_state == RatingState.RATED else None
        risk = risks.get(attempt.pk) if attempt is not None else None
        label = session.get_rating_state_display()
        return _("%(state)s: risk %(risk)s") % {"state": label, "risk": f"{risk:.0%}"} if risk is not None else label

    def name(session: Any) -> str:
        label = f"{session.user} ({full})" if (full := session.user.get_full_name()) else str(session.user)
        attempt = attempts.get(session.pk)
        return link_to("attempt", attempt.pk, label, permitted=may_open) if attempt is not None else label

    return Table(
        name="candidates",
        title=_("Candidates"),
        headers=(_("Number"), _("Person"), _("Link available"), _("Joined"), _("Rating")),
        rows=[
            (
                str(row.candidate_number),
                name(row),
                _("yes") if row.linked else _("no"),
                moment(row.joined_at),
                rating(row),
            )
            for row in shown
        ],
        empty=_("Nobody."),
        notes=[_("Only the first %d are shown.") % CANDIDATES] if len(rows) > CANDIDATES else [],
    )


def _risks(attempts: list[int]) -> dict[int, Any]:
    rows = Rating.objects.filter(attempt__in=attempts, is_current=True).order_by()
    return dict(rows.values_list("attempt_id", "risk"))


def _log(booking: Booking) -> Table:
    rows = list(BookingLogEntry.objects.filter(booking=booking).select_related("by")[: ENTRIES + 1])
    query = {"booking__id__exact": booking.pk}
    return Table(
        name="log",
        title=_("Booking log"),
        headers=(_("When"), _("What"), _("Code"), _("By"), _("Comment")),
        rows=[(moment(row.at), row.text, row.code, _who(row.by), row.comment) for row in rows[:ENTRIES]],
        empty=_("No entries yet."),
        more=link_to_list("bookinglogentry", query, _("Show in the booking log")) if rows else EMPTY,
        notes=[_("Only the newest %d are shown.") % ENTRIES] if len(rows) > ENTRIES else [],
    )


def _who(person: Any) -> str:
    return str(person) if person is not None else _("the system")


def _parts(booking: Booking) -> Table:
    """What a planner made in one go, and what it replaces or was replaced by."""
    found = with_counts(Booking.objects.filter(plan=booking.plan_id)).order_by("part")
    rows: list[Any] = list(found[: PARTS + 1])
    return Table(
        name="parts",
        title=_("Parts of the plan"),
        headers=(_("Part"), _("Status"), _("Candidates"), _("Extra time")),
        rows=[
            (
                link_to("booking", row.pk, part_of_plan(row), permitted=row.pk != booking.pk),
                badge(row.status),
                str(row.n_candidates),
                _("%d min") % row.extra_minutes if row.extra_minutes else EMPTY,
            )
            for row in rows[:PARTS]
        ],
        notes=[_("Only the first %d are shown.") % PARTS] if len(rows) > PARTS else [],
    )
