"""From a planner's wish to bookings: who is to be watched, how many bookings that makes, how long each is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from proctoring.allowances.computation import granted_seconds, in_force
from proctoring.allowances.models import WHOLE_COURSE, Allowance
from proctoring.attempts.models import Attempt
from proctoring.backends import backends
from proctoring.backends.live import BookingLimits
from proctoring.bookings.lifecycle import save
from proctoring.bookings.models import Booking, BookingPlan, LiveSession, Selection
from proctoring.conf import settings
from proctoring.errors import InvalidInput, RuleBroken, UnknownBackend
from proctoring.exams.models import Exam, ExamType
from proctoring.host import host

if TYPE_CHECKING:
    from proctoring.host import User

BATCH = 1000
MAX_CANDIDATES = 10_000
"""Of one plan."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a planner asks for. Minutes that are None are the settings'."""

    exam: Exam
    starts_at: datetime
    ends_at: datetime
    ratio: int
    candidates: Collection[int] | None
    """Primary keys of people; None: everybody who is enrolled."""
    backend: str = ""
    """Empty: the exam's."""
    onboarding_minutes: int | None = None
    closing_minutes: int | None = None


def plan_bookings(wish: Wish, *, by: User, replaces: BookingPlan | None = None) -> list[Booking]:
    """Make the drafts, one for each part that the vendor takes at once, in a plan of their own.

    Candidates with the most extra time share a part, so that the others' proctors need not stay. Statements grow with
    batches of people. Raises ``InvalidInput`` (window, people), ``RuleBroken``: ``exam_not_proctored``,
    ``backend_takes_no_bookings``, ``enrolment_unknown``, ``ratio_not_offered``, ``window_too_long``,
    ``too_many_candidates``.
    """
    if wish.exam.exam_type == ExamType.TIMED:
        raise RuleBroken(_("A timed exam has no proctors."), code="exam_not_proctored")
    alias = wish.backend or wish.exam.backend_alias
    limits = limits_of(alias)
    people = _people(wish)
    parts = _parts(people, extra_minutes(wish.exam, people), limits)
    drafts = [_draft(wish, alias, part, by=by) for part in parts]
    for draft in drafts:
        refuse_impossible(draft, limits)
    with transaction.atomic():
        plan = BookingPlan.objects.create(
            exam=wish.exam,
            selection=Selection.ENROLLED if wish.candidates is None else Selection.LISTED,
            replaces=replaces,
            created_by=by,
        )
        _store(plan, drafts, parts, by=by)
    return drafts


def limits_of(alias: str) -> BookingLimits:
    """What this vendor lets be booked. Raises ``RuleBroken`` (``backend_takes_no_bookings``)."""
    try:
        backend = backends[alias]
    except UnknownBackend as unknown:
        raise RuleBroken(str(unknown), code="backend_takes_no_bookings") from unknown
    if not backend.takes_live_bookings:
        raise RuleBroken(_("This exam's vendor takes no bookings."), code="backend_takes_no_bookings")
    return backend.booking_limits


def refuse_impossible(booking: Booking, limits: BookingLimits) -> None:
    """Raise ``InvalidInput`` for a window that ends before it opens, ``RuleBroken`` for what the vendor does not lend:
    ``ratio_not_offered``, ``window_too_long``."""
    if booking.ends_at <= booking.starts_at:
        raise InvalidInput(errors={"ends_at": [_("Must be after the window opens.")]})
    if limits.ratios and booking.ratio not in limits.ratios:
        offered = ", ".join(f"1:{ratio}" for ratio in limits.ratios)
        raise RuleBroken(_("The vendor offers these ratios: %s.") % offered, code="ratio_not_offered")
    _refuse_too_long(booking, limits)


def _refuse_too_long(booking: Booking, limits: BookingLimits) -> None:
    """Raise ``RuleBroken`` (``window_too_long``) where proctors are needed for longer than the vendor lends them."""
    minutes = int((booking.reserved_until - booking.reserved_from) / timedelta(minutes=1))
    if limits.max_minutes is None or minutes <= limits.max_minutes:
        return
    raise RuleBroken(
        _(
            "Proctors would be needed for %(minutes)s minutes (with %(before)s before the window, %(extra)s of extra "
            "time and %(after)s to close); the vendor lends them for %(most)s at most."
        )
        % {
            "minutes": minutes,
            "before": booking.onboarding_minutes,
            "extra": booking.extra_minutes,
            "after": booking.closing_minutes,
            "most": limits.max_minutes,
        },
        code="window_too_long",
        data={"minutes": minutes, "max_minutes": limits.max_minutes, "extra_minutes": booking.extra_minutes},
    )


def bookable(sessions: QuerySet[LiveSession], plan: BookingPlan) -> QuerySet[LiveSession]:
    """Those of the candidates who can still come: their account is active, they have the exam still before them, and
    where everybody enrolled was meant, they still are."""
    able = sessions.filter(user__is_active=True)
    if not plan.exam.is_sample:
        # Whoever has had their attempt, and no further one granted, needs no proctor.
        last = Attempt.objects.filter(exam=plan.exam_id, user=OuterRef("user")).newest_each()
        able = able.exclude(Exists(last.filter(open_slot=None, retry_kind="")))
    if plan.selection == Selection.ENROLLED:
        enrolled = host().enrolled(plan.exam.course_id)
        if enrolled is not None:
            able = able.filter(user__in=enrolled.order_by().values("pk"))
    return able


def extra_minutes(exam: Exam, people: Sequence[int]) -> dict[int, int]:
    """Person → whole minutes that they are allowed beyond the exam's time, rounded up. One statement a batch."""
    base = exam.time_limit_minutes * 60
    found: dict[int, list[Allowance]] = {}
    for some in _batches(people):
        rows = Allowance.objects.filter(
            user__in=some, course_id=exam.course_id, exam_slot__in=(WHOLE_COURSE, exam.pk)
        ).order_by("pk")
        for row in rows:
            found.setdefault(row.user_id, []).append(row)
    seconds = {user: granted_seconds(base, in_force(rows, exam.pk, exam.course_id)) for user, rows in found.items()}
    return {user: -(-more // 60) for user, more in seconds.items() if more > 0}


def _people(wish: Wish) -> list[int]:
    if wish.candidates is not None:
        return _listed(sorted(set(wish.candidates)))
    enrolled = host().enrolled(wish.exam.course_id)
    if enrolled is None:
        sentence = _("The LMS does not say who is enrolled: name the candidates.")
        raise RuleBroken(sentence, code="enrolment_unknown")
    able = enrolled.filter(is_active=True).order_by("pk").values_list("pk", flat=True)
    return _not_too_many(list(able[: MAX_CANDIDATES + 1]))


def _listed(wanted: list[int]) -> list[int]:
    accounts: Any = get_user_model()._default_manager
    people = [
        pk
        for some in _batches(_not_too_many(wanted))
        for pk in accounts.filter(pk__in=some, is_active=True).order_by("pk").values_list("pk", flat=True)
    ]
    if strangers := sorted(set(wanted) - set(people)):
        named = ", ".join(str(pk) for pk in strangers[:10])
        raise InvalidInput(errors={"candidates": [_("No active account has this id: %s.") % named]})
    return people


def _not_too_many(people: list[int]) -> list[int]:
    if len(people) > MAX_CANDIDATES:
        sentence = _("At most %s candidates can be planned at once.") % MAX_CANDIDATES
        raise RuleBroken(sentence, code="too_many_candidates")
    return people


def _parts(people: Sequence[int], extra: dict[int, int], limits: BookingLimits) -> list[list[tuple[int, int]]]:
    """(person, extra minutes), in parts. A plan for nobody is one empty part: enrolment may come later."""
    ordered = sorted(((pk, extra.get(pk, 0)) for pk in people), key=lambda one: (-one[1], one[0]))
    size = limits.max_candidates or max(len(ordered), 1)
    return [ordered[at : at + size] for at in range(0, len(ordered), size)] or [[]]


def _draft(wish: Wish, alias: str, part: Sequence[tuple[int, int]], *, by: User) -> Booking:
    before, after = wish.onboarding_minutes, wish.closing_minutes
    return Booking(
        exam=wish.exam,
        backend=alias,
        starts_at=wish.starts_at,
        ends_at=wish.ends_at,
        extra_minutes=max((extra for _person, extra in part), default=0),
        onboarding_minutes=settings.booking_onboarding_minutes if before is None else before,
        closing_minutes=settings.booking_closing_minutes if after is None else after,
        ratio=wish.ratio,
        created_by=by,
    )


def _store(
    plan: BookingPlan, drafts: Sequence[Booking], parts: Sequence[Sequence[tuple[int, int]]], *, by: User
) -> None:
    former = {one.part: one for one in plan.replaces.bookings.all()} if plan.replaces else {}
    number = 0
    for part, (draft, people) in enumerate(zip(drafts, parts, strict=True), start=1):
        draft.plan, draft.part = plan, part
        draft.replaces = former.get(part) or former.get(max(former, default=0))
        save(draft, by=by, reason="planned")
        sessions = [
            LiveSession(booking=draft, exam=draft.exam, user_id=pk, candidate_number=number + at, backend=draft.backend)
            for at, (pk, _extra) in enumerate(people, start=1)
        ]
        LiveSession.objects.bulk_create(sessions, batch_size=BATCH)
        number += len(people)


def _batches(keys: Sequence[int]) -> Iterable[Sequence[int]]:
    return (keys[at : at + BATCH] for at in range(0, len(keys), BATCH))
