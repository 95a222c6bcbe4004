"""What a person may do to a booking here: each step with its words, its form, and the one service that it calls."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.booking_forms import CommentForm, DraftForm, RemarkForm, StepForm, WindowForm
from proctoring.bookings import services, states
from proctoring.bookings.models import Booking
from proctoring.bookings.states import CHECKED, LIVE, Actor, Status, can_become
from proctoring.errors import IllegalTransition, NotPermitted
from proctoring.permissions import may_plan, sits_at_service_desk

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from proctoring.host import User

PLANNER = (Actor.PLANNER,)
DESK = (Actor.SERVICE_DESK,)
BOTH = PLANNER + DESK

Possible = Callable[[Booking, Actor], bool]
Act = Callable[["Request"], Booking]


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A step that somebody wants to take: on which booking, in which capacity, and what they said."""

    booking: Booking
    actor: Actor
    by: User
    said: Mapping[str, Any]
    now: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    name: str
    title: _StrPromise
    explanation: _StrPromise
    done: _StrPromise
    actors: tuple[Actor, ...]
    """In these capacities, the preferred one first."""
    possible: Possible
    act: Act
    form: type[StepForm] = StepForm
    asked: tuple[str, ...] = ()
    """Fields of the booking that the form begins with."""
    leads_to: Status | None = None
    grave: bool = False
    """Cannot be taken back, or may cost the candidates their proctors."""

    def capacity(self, booking: Booking, held: Collection[Actor]) -> Actor | None:
        """In which of the capacities held the step can be taken now; None: in none."""
        able = (actor for actor in self.actors if actor in held and self.possible(booking, actor))
        return next(able, None)

    def initial(self, booking: Booking) -> dict[str, Any]:
        return {name: getattr(booking, name) for name in self.asked}

    def take(self, booking: Booking, *, by: User, said: Mapping[str, Any]) -> Booking:
        """Call the service. Raises ``NotPermitted`` for who has no capacity in the exam's own course, and what the
        service raises."""
        held = [actor for actor in self.actors if actor in capacities(by, booking.exam.course_id)]
        if not held:
            raise NotPermitted(_("You may not do this in this course."))
        actor = self.capacity(booking, held)
        try:
            # Where no capacity suffices, the service finds the better words for why.
            return self.act(Request(booking=booking, actor=actor or held[0], by=by, said=said))
        except IllegalTransition as refused:
            if "from" not in refused.data:
                raise
            sentence = _("“%(step)s” is not possible: the booking is “%(status)s”.")
            facts = {"step": self.title, "status": Status(refused.data["from"]).label}
            raise IllegalTransition(sentence % facts, data=refused.data) from refused


def capacities(user: User, course_id: str) -> set[Actor]:
    """In which capacities a person acts on bookings of this course. The system's is never among them."""
    held = {Actor.PLANNER: may_plan(user, course_id), Actor.SERVICE_DESK: sits_at_service_desk(user, course_id)}
    return {actor for actor, holds in held.items() if holds}


def steps_for(booking: Booking, user: User) -> list[Step]:
    """What this person may do to this booking now, the likeliest first."""
    held = capacities(user, booking.exam.course_id)
    return [step for step in STEPS.values() if step.capacity(booking, held) is not None]


def _by_table(new: Status, code: str) -> Possible:
    return lambda booking, actor: can_become(Status(booking.status), new, actor, code)


def _can_be_scheduled(booking: Booking, actor: Actor) -> bool:
    unsafe = booking.advice is not None and not booking.advice.may_send_again
    return not unsafe and can_become(Status(booking.status), Status.SCHEDULED, actor, states.SCHEDULED)


def _can_be_checked(booking: Booking, actor: Actor) -> bool:
    if not booking.external_id or booking.status in CHECKED:
        return bool(booking.external_id)
    wise = booking.advice is not None and booking.advice.may_check_again
    return wise and can_become(Status(booking.status), Status.SENT, actor, states.CHECK_SCHEDULED)


def _is_under_way(booking: Booking, actor: Actor) -> bool:
    return booking.status in LIVE


def _is_draft(booking: Booking, actor: Actor) -> bool:
    return booking.status == Status.DRAFT


def _schedule(ask: Request) -> Booking:
    return services.schedule_booking(ask.booking, by=ask.by, actor=ask.actor, now=ask.now)


def _check(ask: Request) -> Booking:
    return services.check_now(ask.booking, by=ask.by, actor=ask.actor, now=ask.now)


def _confirm(ask: Request) -> Booking:
    return services.confirm_by_hand(ask.booking, by=ask.by, comment=ask.said["comment"], now=ask.now)


def _reject(ask: Request) -> Booking:
    return services.reject_by_hand(ask.booking, by=ask.by, comment=ask.said["comment"], now=ask.now)


def _cancel(ask: Request) -> Booking:
    return services.cancel_booking(ask.booking, by=ask.by, comment=ask.said.get("comment", ""), now=ask.now)


def _change_draft(ask: Request) -> Booking:
    return services.change_draft(ask.booking, dict(ask.said), by=ask.by)


def _change_window(ask: Request) -> Booking:
    """The new booking in the place of this one."""
    made = services.change_window(
        ask.booking, starts_at=ask.said["starts_at"], ends_at=ask.said["ends_at"], by=ask.by, now=ask.now
    )
    return next((one for one in made if one.part == ask.booking.part), made[0])


_ALL = (
    Step(
        name="schedule",
        title=gettext_lazy("Schedule"),
        explanation=gettext_lazy("The booking is sent to the vendor, which decides."),
        done=gettext_lazy("scheduled: it will be sent."),
        actors=BOTH,
        possible=_can_be_scheduled,
        act=_schedule,
        leads_to=Status.SCHEDULED,
    ),
    Step(
        name="check",
        title=gettext_lazy("Check now"),
        explanation=gettext_lazy("The vendor is asked at once how the booking stands."),
        done=gettext_lazy("the vendor is being asked."),
        actors=DESK + PLANNER,
        possible=_can_be_checked,
        act=_check,
    ),
    Step(
        name="confirm",
        title=gettext_lazy("Confirm by hand"),
        explanation=gettext_lazy("You say in the vendor’s place that proctors will come. The vendor is asked no more."),
        done=gettext_lazy("confirmed by hand."),
        actors=DESK,
        possible=_by_table(Status.CONFIRMED, states.CONFIRMED_BY_HAND),
        act=_confirm,
        form=CommentForm,
        leads_to=Status.CONFIRMED,
    ),
    Step(
        name="change_draft",
        title=gettext_lazy("Change the draft"),
        explanation=gettext_lazy("All drafts of the plan change; the vendor has not heard of them yet."),
        done=gettext_lazy("changed."),
        actors=PLANNER,
        possible=_is_draft,
        act=_change_draft,
        form=DraftForm,
        asked=("starts_at", "ends_at", "ratio", "onboarding_minutes", "closing_minutes"),
        leads_to=Status.DRAFT,
    ),
    Step(
        name="change_window",
        title=gettext_lazy("Change the window"),
        explanation=gettext_lazy(
            "All parts of the plan that are under way are cancelled and booked anew for the other window. The new ones "
            "are sent when the vendor has answered the cancellation. Until then nobody knows whether it has proctors."
        ),
        done=gettext_lazy("scheduled in place of what was cancelled."),
        actors=PLANNER,
        possible=_is_under_way,
        act=_change_window,
        form=WindowForm,
        asked=("starts_at", "ends_at"),
        leads_to=Status.SCHEDULED,
        grave=True,
    ),
    Step(
        name="reject",
        title=gettext_lazy("Reject by hand"),
        explanation=gettext_lazy("You say in the vendor’s place that no proctors will come. The vendor is told."),
        done=gettext_lazy("rejected by hand."),
        actors=DESK,
        possible=_by_table(Status.REJECTED, states.BY_HAND),
        act=_reject,
        form=CommentForm,
        leads_to=Status.REJECTED,
        grave=True,
    ),
    Step(
        name="cancel",
        title=gettext_lazy("Cancel the booking"),
        explanation=gettext_lazy("The booking is given up for good. A vendor that may hold it is told."),
        done=gettext_lazy("cancelled."),
        actors=PLANNER,
        possible=_by_table(Status.CANCELLED, states.WITHOUT_CODE),
        act=_cancel,
        form=RemarkForm,
        leads_to=Status.CANCELLED,
        grave=True,
    ),
)

STEPS = {step.name: step for step in _ALL}

BULK = tuple(STEPS[name] for name in ("schedule", "check", "cancel"))
"""What the list offers for several bookings at once."""
