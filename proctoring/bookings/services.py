"""What people do with bookings: schedule, cancel, move the window, confirm and reject by hand, ask again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from proctoring.bookings import states
from proctoring.bookings.cancellations import promise_cancellation
from proctoring.bookings.doctor import ADVICE
from proctoring.bookings.lifecycle import locked, log, move, refuse_step, save
from proctoring.bookings.models import Booking, BookingPlan, LiveSession, Selection
from proctoring.bookings.planning import Wish, bookable, limits_of, plan_bookings, refuse_impossible
from proctoring.bookings.sending import obstacle
from proctoring.bookings.states import CHECKED, LIVE, Actor, Status
from proctoring.bookings.timing import check_at_once
from proctoring.errors import Conflict, IllegalTransition, InvalidInput, RuleBroken
from proctoring.signals import announce, booking_check_wanted

if TYPE_CHECKING:
    from proctoring.host import User


def schedule_booking(
    booking: Booking, *, by: User, actor: Actor = Actor.PLANNER, now: datetime | None = None
) -> Booking:
    """Have the booking sent, also again after a rejection.

    A draft that fails a precondition is rejected under its code. Raises ``IllegalTransition``, and ``RuleBroken`` where
    a rejected one fails a precondition (the reason's code), or may be held by the vendor (``check_instead``).
    """
    now = now or timezone.now()
    with locked(booking) as row:
        refuse_step(row, Status.SCHEDULED, states.SCHEDULED, actor)
        if row.status == Status.REJECTED:
            _refuse_unsafe(row)
        why = obstacle(row, now=now) if row.status in (Status.DRAFT, Status.REJECTED) else None
        if why and row.status == Status.DRAFT:
            move(row, Status.REJECTED, why, actor=Actor.SYSTEM, by=by, now=now)
            return row
        if why:
            raise _broken(why)
        row.send_tries = 0
        move(row, Status.SCHEDULED, states.SCHEDULED, actor=actor, by=by, now=now)
    return row


def cancel_booking(booking: Booking, *, by: User, comment: str = "", now: datetime | None = None) -> Booking:
    """Give the booking up; the vendor is told. Cancelling again changes nothing. Raises ``IllegalTransition``."""
    now = now or timezone.now()
    with locked(booking) as row:
        if row.status != Status.CANCELLED:
            promise_cancellation(row, now=now)
            move(row, Status.CANCELLED, states.WITHOUT_CODE, actor=Actor.PLANNER, by=by, comment=comment, now=now)
    return row


def confirm_by_hand(booking: Booking, *, by: User, comment: str, now: datetime | None = None) -> Booking:
    """The service desk knows that proctors will come.

    Raises ``InvalidInput`` without a comment, ``IllegalTransition``.
    """
    now = now or timezone.now()
    with locked(booking) as row:
        _demand(comment)
        move(
            row,
            Status.CONFIRMED,
            states.CONFIRMED_BY_HAND,
            actor=Actor.SERVICE_DESK,
            by=by,
            comment=comment,
            now=now,
        )
    return row


def reject_by_hand(booking: Booking, *, by: User, comment: str, now: datetime | None = None) -> Booking:
    """The service desk knows that no proctors will come; a vendor that may hold the booking is told to let it go.

    Raises ``InvalidInput`` without a comment, ``IllegalTransition``.
    """
    now = now or timezone.now()
    with locked(booking) as row:
        _demand(comment)
        promise_cancellation(row, now=now)
        move(row, Status.REJECTED, states.BY_HAND, actor=Actor.SERVICE_DESK, by=by, comment=comment, now=now)
    return row


def check_now(booking: Booking, *, by: User, actor: Actor, now: datetime | None = None) -> Booking:
    """Have the vendor asked at once, by the service desk also after a rejection that only asking can mend.

    Raises ``IllegalTransition`` where nothing is to be asked, or not by this actor.
    """
    now = now or timezone.now()
    with locked(booking) as row:
        if row.status == Status.REJECTED and row.advice is not None and row.advice.may_check_again and row.external_id:
            move(row, Status.SENT, states.CHECK_SCHEDULED, actor=actor, by=by, now=now)
        elif row.status not in CHECKED or not row.external_id:
            raise IllegalTransition(_("The vendor holds nothing of this booking that it could be asked about."))
        elif row.status == Status.SENT:
            log(row, states.CHECK_SCHEDULED, now=now, by=by)
        check_at_once(row, now=now)
        announce(booking_check_wanted, booking=row)
    return row


def change_draft(booking: Booking, changes: Mapping[str, object], *, by: User) -> Booking:
    """Change a draft's window, ratio and minutes (names of ``Booking``), and its plan's other drafts with it: to a
    vendor they are one exam.

    Raises ``Conflict`` (``not_a_draft``), ``InvalidInput`` and ``RuleBroken`` as ``plan_bookings``.
    """
    with transaction.atomic():
        parts = Booking.objects.select_for_update().filter(plan=booking.plan_id).order_by("pk")
        drafts = {part.pk: part for part in parts if part.status == Status.DRAFT}
        if booking.pk not in drafts:
            raise Conflict(_("Only a draft can be changed so."), code="not_a_draft")
        for draft in drafts.values():
            for name, value in changes.items():
                setattr(draft, name, value)
            refuse_impossible(draft, limits_of(draft.backend))
            save(draft, by=by, reason="changed")
    row = drafts[booking.pk]
    row._state.fields_cache.update(booking._state.fields_cache)
    return row


def change_window(
    booking: Booking, *, starts_at: datetime, ends_at: datetime, by: User, now: datetime | None = None
) -> list[Booking]:
    """Move a plan that is under way to another window: its bookings are cancelled and new ones scheduled, in one step.

    All parts of the plan move, since to a vendor they are one exam. The new ones are sent when the vendor has answered
    the cancellation. Returns them. Raises ``Conflict`` (``not_live``) where nothing of the plan is under way,
    ``RuleBroken`` where the new window cannot be booked (the reason's code), else as ``plan_bookings``: then everything
    stays as it was.
    """
    now = now or timezone.now()
    with transaction.atomic():
        parts = list(Booking.objects.select_for_update().filter(plan=booking.plan_id).order_by("pk"))
        live = [part for part in parts if part.status in LIVE]
        if not live:
            raise Conflict(_("Nothing of this plan is under way: make a new booking."), code="not_live")
        plan = BookingPlan.objects.select_related("exam").get(pk=booking.plan_id)
        sample = live[0]
        everybody = plan.selection == Selection.ENROLLED
        new = plan_bookings(
            Wish(
                exam=plan.exam,
                starts_at=starts_at,
                ends_at=ends_at,
                ratio=sample.ratio,
                candidates=None if everybody else _candidates(live, plan),
                backend=sample.backend,
                onboarding_minutes=sample.onboarding_minutes,
                closing_minutes=sample.closing_minutes,
            ),
            by=by,
            replaces=plan,
        )
        for one in new:
            if why := obstacle(one, now=now):
                raise _broken(why)
        for part in live:
            part.exam = plan.exam
            cancel_booking(part, by=by, comment="window changed", now=now)
        return [schedule_booking(one, by=by, now=now) for one in new]


def _candidates(parts: list[Booking], plan: BookingPlan) -> list[int]:
    sessions = LiveSession.objects.filter(booking__in=[part.pk for part in parts])
    return list(bookable(sessions, plan).values_list("user_id", flat=True))


def _broken(why: str) -> RuleBroken:
    return RuleBroken(str(ADVICE[why].cause), code=why.removeprefix(states.REASON))


def _refuse_unsafe(row: Booking) -> None:
    if row.advice is not None and not row.advice.may_send_again:
        raise RuleBroken(
            _("The vendor may hold this booking: have it checked, do not send it again."), code="check_instead"
        )


def _demand(comment: str) -> None:
    if not comment.strip():
        sentence = _("Say why: it is kept in the log.")
        raise InvalidInput(sentence, errors={"comment": [sentence]})
