"""What course staff and planners see first: what runs, what waits for somebody, bookings, what is owed to vendors, and
the day.

Every section looks at a bounded number of rows, so that the page costs the same number of statements at any size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from proctoring.admin.base import courses_of, holds_anywhere, named_courses
from proctoring.admin.booking_filters import BOOKERS, PLANNERS
from proctoring.admin.booking_overview import booking_tables
from proctoring.admin.chart import Chart, chart_of_the_day
from proctoring.admin.outbox import about, with_whose
from proctoring.admin.rendering import (
    EMPTY,
    Table,
    capped,
    link_to,
    link_to_list,
    minutes,
    moment,
    person,
    short,
    vendor_name,
    zone_in_words,
)
from proctoring.admin.situations import LONGEST_ENDED, SOONEST_DEADLINE, Situation, in_situation
from proctoring.admin.steps import STEPS
from proctoring.admin.words import delivery_in_words, failure_in_words
from proctoring.attempts.models import Attempt
from proctoring.bookings.models import Booking
from proctoring.exams.models import Exam
from proctoring.host import COURSE_ROLES, Role
from proctoring.outbox.models import Circuit, Delivery, DeliveryStatus, DeliveryTarget

if TYPE_CHECKING:
    from proctoring.host import User

SHOWN = 10
"""Rows of a section."""
COUNTED = 100
"""Up to here a section says how many there are; beyond, that there are more."""
LOOKED_AT = 500
"""Deliveries that are looked at to say what is owed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    courses: list[str]
    course: str
    """The one that was chosen, empty for all of the person's."""
    tables: list[Table]
    chart: Chart | None
    """None for who sees no attempts: planners and the service desk."""
    add_exam: str
    """Where an exam can be added; empty for who may not."""
    plan_booking: str
    """Where a booking can be planned; empty for who may not."""

    @property
    def timezone(self) -> str:
        return zone_in_words()

    @property
    def is_quiet(self) -> bool:
        busy = self.chart is not None and self.chart.total
        return not busy and not any(table.rows for table in self.tables)


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """Who looks at what, and when. The host is asked once: it may need a statement for each answer."""

    user: User
    watched: Collection[str] | None
    """Courses of the person; None: all."""
    managed: Collection[str] | None
    """Those in which they are staff."""
    booked: Collection[str] | None
    """Those whose bookings they see."""
    course: str
    """The chosen one, empty for all of the person's."""
    several: bool
    """Whether rows must say of which course they are."""
    now: datetime

    def rows_of(self, field: str) -> Q:
        """The rows whose course is in ``field``. A course that is not the person's own finds nothing."""
        return self._rows_in(self.watched, field)

    def booked_rows(self, field: str) -> Q:
        """The same for what is about bookings."""
        return self._rows_in(self.booked, field)

    def _rows_in(self, courses: Collection[str] | None, field: str) -> Q:
        if self.course:
            mine = courses is None or self.course in courses
            return Q(**{field: self.course}) if mine else Q(pk__in=())
        return ~Q(pk__in=()) if courses is None else Q(**{f"{field}__in": courses})

    def may_manage(self, attempt: Attempt) -> bool:
        """Whether the person may give this candidate a second chance. Nobody gives it to themselves."""
        own = attempt.user_id == self.user.pk and not self.user.is_superuser
        return not own and (self.managed is None or attempt.exam.course_id in self.managed)

    @property
    def query(self) -> dict[str, str]:
        return {"course": self.course} if self.course else {}


def overview_for(request: HttpRequest) -> Overview | None:
    """None for who has no role in any course."""
    watched = courses_of(request.user, *COURSE_ROLES)
    managed = courses_of(request.user, Role.STAFF)
    booked = courses_of(request.user, *BOOKERS)
    mine = None if watched is None or booked is None else {*watched, *booked}
    if mine is not None and not mine:
        return None
    courses = named_courses(mine)
    course = courses[0] if len(courses) == 1 else request.GET.get("course", "").replace("\x00", "")
    view = View(
        user=request.user,
        watched=watched,
        managed=managed,
        booked=booked,
        course=course,
        several=len(courses) > 1 and not course,
        now=timezone.now(),
    )
    may_add = managed is None or len(managed) > 0
    sees_attempts = watched is None or len(watched) > 0
    attempts = Attempt.objects.filter(view.rows_of("exam__course_id"))
    return Overview(
        courses=courses,
        course=course,
        tables=[*(_section(view, one) for one in SECTIONS if sees_attempts), *_bookings(view), *_owed(view)],
        chart=chart_of_the_day(attempts, view.now) if sees_attempts else None,
        add_exam=reverse("admin:proctoring_exam_add") if may_add else "",
        plan_booking=reverse("admin:proctoring_booking_add") if holds_anywhere(request.user, *PLANNERS) else "",
    )


def _bookings(view: View) -> list[Table]:
    if view.booked is not None and not view.booked:
        return []
    rows = Booking.objects.filter(view.booked_rows("exam__course_id"))
    return booking_tables(rows, now=view.now, several=view.several, query=view.query)


Cells = Callable[[Any, View], Sequence[object]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Attempts in one situation."""

    situation: Situation
    title: Callable[[], str]
    empty: Callable[[], str]
    order: Sequence[Any]
    headers: Callable[[], Sequence[str]]
    cells: Cells


def _section(view: View, section: Section) -> Table:
    rows = Attempt.objects.filter(view.rows_of("exam__course_id")).for_reading()
    rows = in_situation(rows, section.situation, view.now).defer("launch_data", "review_policy")
    found = list(rows.order_by(*section.order)[: COUNTED + 1])
    query = {"waits_for": section.situation.value, **view.query}
    return Table(
        name=section.situation.value,
        title=section.title(),
        count=capped(len(found), COUNTED) if found else "0",
        headers=(_("Candidate"), _("Exam"), *section.headers()),
        rows=[
            (link_to("attempt", row.pk, person(row)), _exam(row.exam, view), *section.cells(row, view))
            for row in found[:SHOWN]
        ],
        empty=section.empty(),
        more=link_to_list("attempt", query, _("Show all")) if found else EMPTY,
    )


def _exam(exam: Exam, view: View) -> str:
    return f"{exam} ({exam.course_id})" if view.several else str(exam)


def _running(row: Attempt, view: View) -> Sequence[object]:
    left = row.seconds_left(view.now)
    return row.get_status_display(), moment(row.deadline), minutes(left), vendor_name(row.backend)


def _waiting(row: Attempt, view: View) -> Sequence[object]:
    ended = row.ended_at or row.deadline
    return moment(ended), _ago(ended, view.now), vendor_name(row.backend)


def _undecided(row: Attempt, view: View) -> Sequence[object]:
    return *_waiting(row, view), row.status_at(view.now).label


def _broken(row: Attempt, view: View) -> Sequence[object]:
    step = STEPS["authorize_resume"]
    url = reverse("admin:proctoring_attempt_step", args=(row.pk, step.name))
    link = format_html('<a href="{}">{} …</a>', url, step.title) if view.may_manage(row) else EMPTY
    return moment(row.ended_at), vendor_name(row.backend), link


def _blocked(row: Attempt, view: View) -> Sequence[object]:
    return row.get_status_display(), moment(row.created_at), vendor_name(row.backend)


def _ago(then: datetime | None, now: datetime) -> str:
    if then is None:
        return EMPTY
    hours = int((now - then).total_seconds() // 3600)
    days, rest = divmod(hours, 24)
    if days:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": rest}
    return _("%(hours)d h") % {"hours": rest} if rest else _("less than an hour")


SECTIONS = (
    Section(
        situation=Situation.RUNNING,
        title=lambda: _("Running now"),
        empty=lambda: _("Nobody sits an exam at the moment."),
        order=SOONEST_DEADLINE,
        headers=lambda: (_("Status"), _("Deadline"), _("Time left"), _("Vendor")),
        cells=_running,
    ),
    Section(
        situation=Situation.RESUME,
        title=lambda: _("Errors that wait for a resume"),
        empty=lambda: _("No attempt ended in an error that waits for you."),
        order=LONGEST_ENDED,
        headers=lambda: (_("Ended"), _("Vendor"), _("Next step")),
        cells=_broken,
    ),
    Section(
        situation=Situation.SECOND_REVIEW,
        title=lambda: _("Second reviews"),
        empty=lambda: _("No attempt waits for a second review."),
        order=LONGEST_ENDED,
        headers=lambda: (_("Ended"), _("Waiting for"), _("Vendor")),
        cells=_waiting,
    ),
    Section(
        situation=Situation.VERDICT,
        title=lambda: _("Waiting for a verdict"),
        empty=lambda: _("No attempt waits for a verdict."),
        order=LONGEST_ENDED,
        headers=lambda: (_("Ended"), _("Waiting for"), _("Vendor"), _("Status")),
        cells=_undecided,
    ),
    Section(
        situation=Situation.ONBOARDING,
        title=lambda: _("Blocked by onboarding"),
        empty=lambda: _("Nobody is kept from an exam by missing onboarding."),
        order=("pk",),
        headers=lambda: (_("Why"), _("Since"), _("Vendor")),
        cells=_blocked,
    ),
)


def _owed(view: View) -> list[Table]:
    """What is due, was refused or given up: for each receiver how much, and the oldest of it with whose it is."""
    found = list(_owed_deliveries(view)[: LOOKED_AT + 1])
    counts: Counter[tuple[str, str]] = Counter((row.backend or row.get_kind_display(), row.status) for row in found)
    circuits = {circuit.backend: circuit for circuit in Circuit.objects.all()[:COUNTED]}
    receivers = sorted({receiver for receiver, _status in counts} | _resting(circuits, view.now))
    more_than_seen = len(found) > LOOKED_AT
    may_open = view.user.has_perm("proctoring.view_delivery")
    statuses = (DeliveryStatus.DUE, DeliveryStatus.FAILED, DeliveryStatus.GIVEN_UP)
    return [
        Table(
            name="receivers",
            title=_("Owed, by receiver"),
            headers=(_("Receiver"), _("Connection"), *(str(status.label) for status in statuses)),
            rows=[
                (
                    receiver,
                    _connection(circuits.get(receiver), view.now),
                    *(_at_least(counts[receiver, status], more_than_seen) for status in statuses),
                )
                for receiver in receivers
            ],
            empty=_("Vendors, the LMS and the mail have everything."),
            notes=[_("The oldest %d were counted.") % LOOKED_AT] if more_than_seen else [],
        ),
        Table(
            name="owed",
            title=_("Owed, the oldest first"),
            count=capped(len(found), COUNTED),
            headers=(_("What"), _("About"), _("Receiver"), _("Status"), _("Last error")),
            rows=[
                (
                    link_to("delivery", row.pk, delivery_in_words(row), permitted=may_open),
                    about(row, link_exams=False),
                    row.backend or row.get_kind_display(),
                    row.get_status_display(),
                    short(failure_in_words(row.last_error)),
                )
                for row in found[:SHOWN]
            ],
            more=link_to_list("delivery", {"owed": "yes"}, _("Show all")) if may_open else EMPTY,
        ),
    ][: 2 if found else 1]


def _owed_deliveries(view: View) -> Any:
    """With whose they are. A delivery keeps only the id of what it is about."""
    targets = (DeliveryTarget.ATTEMPT, DeliveryTarget.BOOKING, DeliveryTarget.EXAM)
    found: Any = with_whose(
        Delivery.objects.owed().filter(target__in=targets),
        attempts=view.rows_of("exam__course_id"),
        exams=view.rows_of("course_id"),
        bookings=view.booked_rows("exam__course_id"),
    )
    return found.filter(exam_name__isnull=False).order_by("pk")


def _resting(circuits: dict[str, Circuit], now: datetime) -> set[str]:
    return {backend for backend, circuit in circuits.items() if circuit.state(now) != "closed"}


def _connection(circuit: Circuit | None, now: datetime) -> str:
    state = circuit.state(now) if circuit is not None else "closed"
    if state == "open" and circuit is not None:
        return _("Calls wait until %s") % moment(circuit.open_until)
    return {
        "closed": _("Calls go out"),
        "stopped": _("Calls wait until a person says so"),
        "half_open": _("The next call is a trial"),
    }[state]


def _at_least(count: int, unsure: bool) -> str:
    return f"{count}+" if unsure and count else capped(count, COUNTED)
