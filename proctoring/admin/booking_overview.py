"""The overview's sections about bookings: what somebody has to mend, what is today, what waits for the vendor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from proctoring.admin.booking_filters import Situation, When, at_time, in_situation
from proctoring.admin.booking_forms import takers_of_bookings
from proctoring.admin.booking_page import MENDERS, badge, how_many, what_is_next, window, with_counts
from proctoring.admin.rendering import EMPTY, Table, capped, link_to, link_to_list
from proctoring.bookings.doctor import Mender
from proctoring.bookings.models import Booking, BookingQuerySet
from proctoring.bookings.states import Status

SHOWN = 10
COUNTED = 100

Cells = Callable[[Any, datetime], Sequence[object]]


def booking_tables(bookings: BookingQuerySet, *, now: datetime, several: bool, query: Mapping[str, str]) -> list[Table]:
    """Three statements. Nothing at all where there are neither bookings nor a vendor that takes any."""

    def table(rows: Any, cells: Cells, **given: Any) -> Table:
        found = list(with_counts(rows.select_related("exam")).order_by("starts_at", "pk")[: COUNTED + 1])
        asked = given.pop("asked")
        return Table(
            count=capped(len(found), COUNTED),
            rows=[(_name(row, several), window(row), *cells(row, now)) for row in found[:SHOWN]],
            more=link_to_list("booking", {**asked, **query}, _("Show all")) if found else EMPTY,
            **given,
        )

    urgent = table(
        in_situation(bookings, Situation.SOMEBODY, now),
        _urgent,
        name="bookings",
        title=_("Bookings that need somebody"),
        headers=(_("Booking"), _("Window"), _("Status"), _("Cause"), _("Who can mend it"), _("Next step")),
        empty=_("No booking of the next 7 days needs anybody."),
        asked={"waits_for": Situation.SOMEBODY.value},
    )
    others = [
        table(
            at_time(bookings, When.TODAY, now).exclude(status=Status.CANCELLED),
            _of_today,
            name="bookings_today",
            title=_("Bookings of today"),
            headers=(_("Booking"), _("Window"), _("Status"), _("Candidates")),
            asked={"when": When.TODAY.value},
        ),
        table(
            in_situation(bookings, Situation.VENDOR, now),
            _waiting,
            name="bookings_waiting",
            title=_("Bookings that wait for the vendor"),
            headers=(_("Booking"), _("Window"), _("Status"), _("What comes next")),
            asked={"waits_for": Situation.VENDOR.value},
        ),
    ]
    busy = [one for one in others if one.rows]
    return [urgent, *busy] if urgent.rows or busy or takers_of_bookings() else []


def _name(row: Booking, several: bool) -> object:
    return link_to("booking", row.pk, f"{row.exam} ({row.exam.course_id})" if several else row.exam)


def _urgent(row: Booking, now: datetime) -> Sequence[object]:
    if row.advice is None:
        cause, mender, following = EMPTY, MENDERS[Mender.PLANNER], _("Schedule it, or cancel it.")
        return badge(row.status), cause, str(mender), following
    advice = row.advice
    return badge(row.status), str(advice.cause), str(MENDERS[advice.mender]), str(advice.next_step)


def _of_today(row: Any, now: datetime) -> Sequence[object]:
    return badge(row.status), how_many(row)


def _waiting(row: Booking, now: datetime) -> Sequence[object]:
    return badge(row.status), what_is_next(row, now)
