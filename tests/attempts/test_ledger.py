"""Time is a ledger: the worked examples of the design, to the second, and what may be written into it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from hypothesis import given
from hypothesis import strategies as st

from proctoring.allowances.models import AllowanceKind
from proctoring.allowances.terms import Grant, Terms
from proctoring.attempts import ledger, services, timing
from proctoring.attempts.accommodations import grant_allowance
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.lifecycle import locked, save
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import authorize_resume
from proctoring.attempts.schedule import change_exam
from proctoring.attempts.states import Actor, Status
from proctoring.attempts.timing import EntryKind, EntryState
from proctoring.errors import Conflict, ProctoringError, RuleBroken
from tests.attempts.sweeping import sweep
from tests.factories import TEN, AttemptFactory, ExamFactory, at

COMFORT = 10010
QUARTER_MORE = Terms(kind=AllowanceKind.TIME_MULTIPLIER, multiplier=Decimal("1.25"))


def started(user: AbstractUser, moment: datetime = TEN, **exam: Any) -> Attempt:
    return services.start_attempt(create_attempt(ExamFactory(**exam), user, now=TEN), by=user, now=moment)


def post(attempt: Attempt, kind: EntryKind, seconds: int, moment: datetime, **more: Any) -> Attempt:
    """What a room beside this one does when it grants time."""
    with locked(attempt, now=moment) as row:
        ledger.post(row, kind, seconds, at=moment, **more)
        save(row, by=None, reason="granted")
    return row


def entries(attempt: Attempt) -> list[tuple[str, int]]:
    return [(entry.kind, entry.seconds) for entry in attempt.time_entries.all()]


def test_example_a_quarter_more_granted_at_half_past(candidate: AbstractUser) -> None:
    attempt = started(candidate)
    assert attempt.expires_at == at(11, 0)
    attempt = post(attempt, EntryKind.ALLOWANCE, 900, at(10, 30))
    assert (attempt.expires_at, entries(attempt)) == (at(11, 15), [("base", 3600), ("allowance", 900)])


def test_example_a_quarter_and_ten_minutes(candidate: AbstractUser) -> None:
    assert post(started(candidate), EntryKind.ALLOWANCE, 1500, at(10, 30)).expires_at == at(11, 25)


def test_example_paused_from_20_to_32(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = services.pause_attempt(started(candidate), by=staff, actor=Actor.STAFF, now=at(10, 20))
    assert (attempt.expires_at, attempt.paused_until, attempt.seconds_left(at(10, 25))) == (None, None, None)
    attempt = services.resume_attempt(
        attempt, by=staff, actor=Actor.STAFF, reason="alarm", reason_code=COMFORT, now=at(10, 32)
    )
    assert (attempt.expires_at, entries(attempt)) == (at(11, 12), [("base", 3600), ("pause", 720)])
    entry = attempt.time_entries.get(kind="pause")
    assert (entry.by, entry.note, entry.reason_code, entry.at) == (staff, "alarm", COMFORT, at(10, 32))
    assert attempt.paused_at is None


def test_a_paused_attempt_shows_the_due_date_as_its_bound(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = services.pause_attempt(started(candidate, due_at=at(10, 40)), by=staff, actor=Actor.STAFF, now=at(10, 20))
    assert (attempt.expires_at, attempt.paused_until) == (None, at(10, 40))


@pytest.mark.parametrize(("past_due", "expected"), [(True, at(10, 55)), (False, at(10, 40))])
def test_example_due_at_40_with_15_more_minutes(past_due: bool, expected: datetime, candidate: AbstractUser) -> None:
    attempt = started(candidate, due_at=at(10, 40), accommodations_past_due=past_due)
    assert attempt.expires_at == at(10, 40)
    assert post(attempt, EntryKind.ALLOWANCE, 900, at(10, 30)).expires_at == expected


def test_example_paused_before_a_due_date_and_never_resumed(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = started(candidate, due_at=at(10, 40))
    services.pause_attempt(attempt, by=staff, actor=Actor.STAFF, now=at(10, 20))
    assert sweep(now=at(10, 39, 59)) == 0
    assert sweep(now=at(10, 41)) == 1
    attempt.refresh_from_db()
    assert (attempt.status, attempt.ended_at, entries(attempt)) == (Status.SUBMITTED, at(10, 40), [("base", 3600)])


def test_example_a_resume_before_and_after_a_quarter_more(candidate: AbstractUser, staff: AbstractUser) -> None:
    first = started(candidate)
    services.report_error(first, by=candidate, actor=Actor.CANDIDATE, now=at(10, 45))
    authorize_resume(first, by=staff, reason="power cut", now=at(11, 0))
    second = create_attempt(first.exam, candidate, now=at(11, 50))
    assert (entries(second), second.resumed_from) == ([("carried_over", 900)], first)
    second = services.start_attempt(second, by=candidate, now=at(12, 0))
    assert second.expires_at == at(12, 15)
    assert post(second, EntryKind.ALLOWANCE, 900, at(12, 5)).expires_at == at(12, 30)


def test_example_the_quarter_more_was_granted_before_the_error(candidate: AbstractUser, staff: AbstractUser) -> None:
    first = started(candidate)
    grant = Grant(user=candidate, course_id=first.exam.course_id, exam=first.exam, terms=QUARTER_MORE)
    grant_allowance(grant, by=staff, now=at(10, 30))
    services.report_error(first, by=candidate, actor=Actor.CANDIDATE, now=at(10, 45))
    authorize_resume(first, by=staff, reason="power cut", now=at(11, 0))
    second = services.start_attempt(create_attempt(first.exam, candidate, now=at(11, 50)), by=candidate, now=at(12, 0))
    assert (entries(second), second.expires_at) == ([("carried_over", 1800)], at(12, 30))


def test_example_an_outage_of_four_minutes_is_credited(candidate: AbstractUser) -> None:
    assert post(started(candidate), EntryKind.OUTAGE, 240, at(10, 14)).expires_at == at(11, 4)


@pytest.mark.parametrize("state", [EntryState.PROPOSED, EntryState.REFUSED])
def test_only_applied_entries_count(state: EntryState, candidate: AbstractUser) -> None:
    attempt = post(started(candidate, due_at=at(10, 40)), EntryKind.OUTAGE, 240, at(10, 14), state=state)
    assert (attempt.expires_at, attempt.total_seconds) == (at(10, 40), 3600)


@pytest.mark.parametrize(
    ("kind", "reaches"),
    [(kind, kind in {"allowance", "extra_time", "outage"}) for kind in EntryKind if kind not in timing.GIVEN],
)
def test_only_accommodations_reach_past_the_due_date(kind: EntryKind, reaches: bool, candidate: AbstractUser) -> None:
    attempt = post(started(candidate, due_at=at(10, 40)), kind, 600, at(10, 14))
    assert attempt.expires_at == (at(10, 50) if reaches else at(10, 40))


def test_a_broken_second_is_the_candidates(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = started(candidate, at(10, 0, 0, 250_000))
    assert attempt.expires_at == at(11, 0, 0, 250_000)
    services.pause_attempt(attempt, by=staff, actor=Actor.STAFF, now=at(10, 20, 0, 900_000))
    attempt = services.resume_attempt(attempt, by=staff, actor=Actor.STAFF, now=at(10, 20, 2, 0))
    assert entries(attempt)[-1] == ("pause", 2)
    services.report_error(attempt, by=candidate, actor=Actor.CANDIDATE, now=at(10, 59, 17, 500_000))
    authorize_resume(attempt, by=staff, reason="", now=at(11, 0))
    # 3602 seconds from 10:00:00.25, used until 10:59:17.5: 44.75 are left.
    assert create_attempt(attempt.exam, candidate, now=at(11, 30)).total_seconds == 45


@pytest.mark.parametrize(("stopped", "left"), [(at(10, 59, 15), 45), (at(10, 59, 59), 1), (at(11, 0), 0), (TEN, 3600)])
def test_a_resume_carries_over_the_exact_seconds(
    stopped: datetime, left: int, candidate: AbstractUser, staff: AbstractUser
) -> None:
    attempt = started(candidate)
    if stopped == at(11, 0):
        sweep(now=at(11, 5))
    else:
        services.terminate_attempt(attempt, by=staff, actor=Actor.STAFF, now=stopped)
    authorize_resume(attempt, by=staff, reason="", now=at(11, 10))
    second = create_attempt(attempt.exam, candidate, now=at(11, 30))
    assert entries(second) == [("carried_over", left)]
    second = services.start_attempt(second, by=candidate, now=at(12, 0))
    assert second.expires_at == at(12, 0) + timedelta(seconds=left)
    assert second.status_at(at(12, 0)) == (Status.SUBMITTED if left == 0 else Status.STARTED)


def test_a_resume_from_a_pause_counts_to_where_the_clock_stood(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = started(candidate)
    services.pause_attempt(attempt, by=staff, actor=Actor.STAFF, now=at(10, 50))
    services.terminate_attempt(attempt, by=staff, actor=Actor.STAFF, now=at(14, 0))
    authorize_resume(attempt, by=staff, reason="", now=at(14, 1))
    assert create_attempt(attempt.exam, candidate, now=at(14, 2)).total_seconds == 600


def test_a_resume_before_the_start_gives_the_full_time(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = create_attempt(ExamFactory(), candidate, now=TEN)
    services.report_error(attempt, by=candidate, actor=Actor.CANDIDATE, now=at(10, 5))
    authorize_resume(attempt, by=staff, reason="", now=at(10, 6))
    assert entries(create_attempt(attempt.exam, candidate, now=at(10, 7))) == [("base", 3600)]


def test_a_chain_of_resumes_neither_grows_nor_shrinks(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = started(candidate)
    for minute, left in ((20, 2400), (35, 1500), (59, 60)):
        # Each attempt of the chain goes on at once, so the whole chain has used "minute" minutes.
        services.report_error(attempt, by=candidate, actor=Actor.CANDIDATE, now=at(10, minute))
        authorize_resume(attempt, by=staff, reason="", now=at(10, minute))
        attempt = create_attempt(attempt.exam, candidate, now=at(10, minute))
        assert entries(attempt) == [("carried_over", left)]
        attempt = services.start_attempt(attempt, by=candidate, now=at(10, minute))
        assert attempt.expires_at == at(11, 0)
    assert attempt.number == 4


def test_a_resumed_attempt_that_never_started_passes_on_what_it_got(
    candidate: AbstractUser, staff: AbstractUser
) -> None:
    attempt = started(candidate)
    services.report_error(attempt, by=candidate, actor=Actor.CANDIDATE, now=at(10, 59, 15))
    authorize_resume(attempt, by=staff, reason="", now=at(11, 0))
    second = create_attempt(attempt.exam, candidate, now=at(11, 1))
    services.report_error(second, by=candidate, actor=Actor.CANDIDATE, now=at(11, 2))
    authorize_resume(second, by=staff, reason="", now=at(11, 3))
    third = create_attempt(attempt.exam, candidate, now=at(11, 4))
    assert (entries(third), third.resumed_from) == ([("carried_over", 45)], second)


def test_a_correction_after_the_end_counts_for_the_resume(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = started(candidate)
    services.terminate_attempt(attempt, by=staff, actor=Actor.STAFF, now=at(10, 50))
    attempt = services.correct_time(
        attempt, seconds=-300, by=staff, reason_code=None, note="came back late", now=at(11, 0)
    )
    assert (attempt.total_seconds, attempt.expires_at, attempt.status) == (3300, at(11, 0), Status.TERMINATED)
    authorize_resume(attempt, by=staff, reason="", now=at(11, 1))
    assert create_attempt(attempt.exam, candidate, now=at(11, 2)).total_seconds == 300


def test_extra_minutes_reach_a_running_attempt_at_once(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = services.extend_time(
        started(candidate), minutes=10, by=staff, reason_code=COMFORT, note="fire drill", now=at(10, 30)
    )
    assert (attempt.expires_at, attempt.seconds_left(at(10, 30))) == (at(11, 10), 2400)
    newest = attempt.history.latest()
    assert (newest.history_user, newest.history_change_reason) == (staff, "extra_time +600 s: fire drill")


def test_time_written_before_the_start_counts_from_the_start(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = create_attempt(ExamFactory(due_at=at(12, 0)), candidate, now=TEN)
    attempt = services.extend_time(attempt, minutes=10, by=staff, reason_code=COMFORT, note="", now=TEN)
    assert (attempt.expires_at, attempt.closes_at) == (None, at(12, 10))
    assert services.start_attempt(attempt, by=candidate, now=at(10, 5)).expires_at == at(11, 15)


def test_extra_minutes_during_a_pause_count_after_it(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = services.pause_attempt(started(candidate), by=staff, actor=Actor.STAFF, now=at(10, 20))
    attempt = services.extend_time(attempt, minutes=10, by=staff, reason_code=COMFORT, note="", now=at(10, 25))
    assert attempt.expires_at is None
    assert services.resume_attempt(attempt, by=staff, actor=Actor.STAFF, now=at(10, 30)).expires_at == at(11, 20)


def test_a_correction_into_the_past_ends_the_attempt_at_that_moment(
    candidate: AbstractUser, staff: AbstractUser
) -> None:
    attempt = started(candidate)
    attempt = services.correct_time(attempt, seconds=-2400, by=staff, reason_code=None, note="", now=at(10, 30))
    assert (attempt.expires_at, attempt.status_at(at(10, 30))) == (at(10, 20), Status.SUBMITTED)
    assert services.submit_attempt(attempt, by=candidate, now=at(10, 31)).ended_at == at(10, 20)


@pytest.mark.parametrize("seconds", [-3601, 100 * 24 * 3600 + 1])
def test_a_total_below_nothing_and_an_entry_above_a_hundred_days_are_refused(
    seconds: int, candidate: AbstractUser, staff: AbstractUser
) -> None:
    attempt = started(candidate)
    with pytest.raises(RuleBroken) as refused:
        services.correct_time(attempt, seconds=seconds, by=staff, reason_code=None, note="", now=at(10, 30))
    assert refused.value.code == "time_out_of_range"
    assert entries(attempt) == [("base", 3600)]
    assert Attempt.objects.get().expires_at == at(11, 0)


def test_an_entry_is_reversed_once_by_its_opposite(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = started(candidate, due_at=at(10, 40))
    attempt = services.extend_time(attempt, minutes=10, by=staff, reason_code=COMFORT, note="", now=at(10, 5))
    entry = attempt.time_entries.get(kind="extra_time")
    args: dict[str, Any] = {"entry": entry, "by": staff, "reason_code": None, "note": "wrong person"}
    attempt = services.reverse_time(attempt, now=at(10, 6), **args)
    assert (attempt.expires_at, attempt.total_seconds) == (at(10, 40), 3600)
    reversal = attempt.time_entries.get(reverses=entry)
    assert (reversal.kind, reversal.seconds, reversal.by) == ("extra_time", -600, staff)
    with pytest.raises(Conflict) as refused:
        services.reverse_time(attempt, now=at(10, 7), **args)
    assert refused.value.code == "already_reversed"
    with pytest.raises(RuleBroken):
        services.reverse_time(attempt, now=at(10, 7), **args | {"entry": reversal})


def test_what_an_attempt_began_with_or_does_not_count_is_not_reversed(
    candidate: AbstractUser, staff: AbstractUser
) -> None:
    attempt = post(started(candidate), EntryKind.OUTAGE, 60, at(10, 5), state=EntryState.PROPOSED)
    for entry in attempt.time_entries.all():
        with pytest.raises(RuleBroken) as refused:
            services.reverse_time(attempt, entry=entry, by=staff, reason_code=None, note="", now=at(10, 6))
        assert refused.value.code == "not_reversible"
    assert attempt.time_entries.count() == 2


def test_another_attempts_entry_is_not_reversed_here(candidate: AbstractUser, staff: AbstractUser) -> None:
    mine = started(candidate)
    other = services.extend_time(started(staff), minutes=10, by=staff, reason_code=COMFORT, note="", now=at(10, 5))
    entry = other.time_entries.get(kind="extra_time")
    with pytest.raises(RuleBroken):
        services.reverse_time(mine, entry=entry, by=staff, reason_code=None, note="", now=at(10, 6))
    assert Attempt.objects.get(pk=mine.pk).expires_at == at(11, 0)


@pytest.mark.parametrize("status", ["verified", "rejected", "second_review_required", "declined", "expired", "voided"])
def test_the_account_of_a_decided_or_closed_attempt_is_closed(status: str, staff: AbstractUser) -> None:
    attempt = AttemptFactory(status=status)
    for write in (
        lambda: services.correct_time(attempt, seconds=60, by=staff, reason_code=None, note="", now=at(10, 30)),
        lambda: services.extend_time(attempt, minutes=1, by=staff, reason_code=COMFORT, note="", now=at(10, 30)),
    ):
        with pytest.raises(Conflict) as refused:
            write()
        assert refused.value.code == "attempt_closed"
    assert attempt.time_entries.count() == 1


def test_time_never_reopens_an_attempt(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = started(candidate)
    with pytest.raises(Conflict):
        services.extend_time(attempt, minutes=30, by=staff, reason_code=COMFORT, note="", now=at(11, 0))
    attempt = services.correct_time(attempt, seconds=1800, by=staff, reason_code=None, note="", now=at(11, 0))
    assert (attempt.status, attempt.ended_at, attempt.expires_at) == (Status.SUBMITTED, at(11, 0), at(11, 0))
    assert attempt.status_at(at(11, 1)) == Status.SUBMITTED


def test_reversing_a_pause_takes_its_time_back(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = services.pause_attempt(started(candidate), by=staff, actor=Actor.STAFF, now=at(10, 20))
    attempt = services.resume_attempt(attempt, by=staff, actor=Actor.STAFF, now=at(10, 30))
    entry = attempt.time_entries.get(kind="pause")
    answer = services.reverse_time(attempt, entry=entry, by=staff, reason_code=None, note="", now=at(10, 31))
    assert answer.expires_at == at(11, 0)


def test_a_due_date_before_the_start_never_ends_an_attempt_before_it_began(
    candidate: AbstractUser, staff: AbstractUser
) -> None:
    running = started(candidate, due_at=at(12, 0))
    paused = started(staff, due_at=at(12, 0))
    services.pause_attempt(paused, by=staff, actor=Actor.STAFF, now=at(10, 20))
    for attempt in (running, paused):
        change_exam(attempt.exam, {"due_at": at(9, 0)}, by=staff, now=at(10, 30))
    assert sweep(now=at(10, 31)) == 2
    for attempt in Attempt.objects.all():
        assert (attempt.status, attempt.ended_at, attempt.ended_by_deadline) == (Status.SUBMITTED, TEN, True)


MOMENTS = st.timedeltas(timedelta(days=-2000), timedelta(days=2000)).map(lambda away: TEN + away)


@given(MOMENTS, st.integers(0, 10**6), MOMENTS | st.none())
def test_a_deadline_is_the_earlier_of_both_sums_and_never_before_the_start(
    start: datetime, seconds: int, closes: datetime | None
) -> None:
    end = timing.deadline(start, seconds, closes)
    assert end >= start
    assert end in (start, closes, start + timedelta(seconds=seconds))
    assert closes is None or end <= max(closes, start)


@given(MOMENTS, st.integers(0, 10**6), st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=20)))
def test_work_left_and_used_add_up_to_the_total(start: datetime, total: int, used: timedelta) -> None:
    left = timing.work_left(total, start, start + used)
    assert left == 0 or 0 <= left - (total - used.total_seconds()) < 1
    assert 0 <= left <= total


@given(MOMENTS, MOMENTS)
def test_a_pause_is_never_negative_and_rounded_up(paused: datetime, resumed: datetime) -> None:
    seconds = timing.pause_seconds(paused, resumed)
    assert seconds == 0 if resumed <= paused else 0 <= seconds - (resumed - paused).total_seconds() < 1


def test_every_error_of_the_ledger_has_a_code(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = AttemptFactory(status=Status.VERIFIED)
    with pytest.raises(ProctoringError) as refused:
        services.extend_time(attempt, minutes=1, by=staff, reason_code=COMFORT, note="", now=at(10, 30))
    assert refused.value.code != ProctoringError.code


def test_a_pause_of_any_length_can_be_ended(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = services.pause_attempt(started(candidate), by=staff, actor=Actor.STAFF, now=at(10, 20))
    later = at(10, 20) + timedelta(days=150)
    attempt = services.resume_attempt(attempt, by=staff, actor=Actor.STAFF, now=later)
    assert attempt.expires_at == later + timedelta(minutes=40)
