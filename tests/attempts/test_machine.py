"""Random histories: whatever anybody does in whatever order, these sentences about the rows stay true."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.test import TestCase
from django.test.utils import override_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from proctoring.allowances.computation import granted_seconds, in_force
from proctoring.allowances.models import Allowance, AllowanceKind
from proctoring.allowances.terms import Grant, Terms
from proctoring.attempts import services, states
from proctoring.attempts.accommodations import grant_allowance, withdraw_allowance
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.deadlines import end_overdue
from proctoring.attempts.models import Attempt
from proctoring.attempts.registration import record_registration
from proctoring.attempts.retries import authorize_resume, reset_attempt, restart_sample
from proctoring.attempts.schedule import change_exam
from proctoring.attempts.states import Actor, Status, can_become
from proctoring.attempts.timing import ACCOMMODATIONS
from proctoring.backends.types import AttemptReviewed, LaunchData, OnboardingBlock, RegisteredAttempt, ReviewStatus
from proctoring.errors import ProctoringError
from proctoring.exams.models import ExamType
from proctoring.reviews.services import apply_kept_review, receive_review
from tests.exchange.vendor import VENDOR
from tests.factories import TEN, ExamFactory, UserFactory

MINUTE = timedelta(minutes=1)
ACTORS = st.sampled_from(Actor)
TERMS = [
    Terms(kind=AllowanceKind.EXTRA_MINUTES, minutes=5),
    Terms(kind=AllowanceKind.EXTRA_MINUTES, minutes=40),
    Terms(kind=AllowanceKind.TIME_MULTIPLIER, multiplier=Decimal("1.25")),
    Terms(kind=AllowanceKind.TIME_MULTIPLIER, multiplier=Decimal(2)),
]


class Lives(RuleBasedStateMachine):
    """One candidate, one exam, everybody who has a say, and a clock that only goes forward."""

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.now = TEN
        self.decided: set[int] = set()
        self.over: dict[int, Any] = {}

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.savepoint.__exit__(None, None, None)

    @initialize(
        exam_type=st.sampled_from(ExamType),
        backend=st.sampled_from(["null", "vendor"]),
        due=st.sampled_from([None, 45, 90]),
    )
    def begin(self, exam_type: ExamType, backend: str, due: int | None) -> None:
        self.user, self.staff = UserFactory(), UserFactory(is_superuser=True)
        due_at = TEN + due * MINUTE if due else None
        self.exam = ExamFactory(exam_type=exam_type, backend=backend, due_at=due_at, allow_opt_out=True)

    def newest(self) -> Attempt | None:
        return Attempt.objects.filter(exam=self.exam).order_by("-number").first()

    def act(self, service: Callable[..., Any], *, by_candidate: bool = False, **arguments: Any) -> None:
        """Do it and accept every refusal of ours; anything else that is raised is a mistake."""
        attempt = self.newest()
        if attempt is None:
            return
        status = attempt.status_at(self.now)
        try:
            with transaction.atomic():
                service(attempt, now=self.now, **arguments)
        except ProctoringError:
            return
        after = Attempt.objects.get(pk=attempt.pk).status
        if by_candidate and status in states.DECIDED and after != status:
            # The one step a candidate may take: practice that was decided is replaced by a new attempt.
            assert (service, after, self.exam.is_sample) == (restart_sample, "onboarding_reset", True)

    @rule(seconds=st.sampled_from([0, 0.4, 1, 45, 300, 1300]))
    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(proctored=st.sampled_from([True, True, True, False]))
    def create(self, proctored: bool) -> None:
        try:
            with transaction.atomic():
                create_attempt(self.exam, self.user, proctored=proctored, now=self.now)
        except ProctoringError:
            return

    @rule(service=st.sampled_from([services.launch_software, services.start_attempt, services.start_attempt]))
    def prepare(self, service: Callable[..., Any]) -> None:
        self.act(service, by=self.user, by_candidate=True)

    @rule(
        service=st.sampled_from(
            [services.stop_attempt, services.submit_attempt, services.decline_attempt, services.acknowledge]
        )
    )
    def finish(self, service: Callable[..., Any]) -> None:
        self.act(service, by=self.user, by_candidate=True)

    @rule(actor=ACTORS, service=st.sampled_from([services.pause_attempt, services.resume_attempt]))
    def clock(self, actor: Actor, service: Callable[..., Any]) -> None:
        self.act(service, by=self.staff, actor=actor)

    @rule(
        actor=ACTORS,
        service=st.sampled_from([services.report_error, services.terminate_attempt, services.void_attempt]),
    )
    def stop(self, actor: Actor, service: Callable[..., Any]) -> None:
        self.act(service, by=self.staff, actor=actor, by_candidate=actor == Actor.CANDIDATE)

    @rule(actor=st.sampled_from([Actor.VENDOR, Actor.STAFF]))
    def ready(self, actor: Actor) -> None:
        self.act(services.mark_ready, by=None, actor=actor)

    @rule(service=st.sampled_from([authorize_resume, reset_attempt]))
    def second_chance(self, service: Callable[..., Any]) -> None:
        self.act(service, by=self.staff, reason="chance")

    @rule()
    def start_over(self) -> None:
        self.act(restart_sample, by=self.user, actor=Actor.CANDIDATE, by_candidate=True)

    @rule(minutes=st.sampled_from([1, 15]))
    def extend(self, minutes: int) -> None:
        self.act(services.extend_time, by=self.staff, minutes=minutes, reason_code=10010, note="")

    @rule(seconds=st.sampled_from([-3000, -60, 60, 600]))
    def correct(self, seconds: int) -> None:
        self.act(services.correct_time, by=self.staff, seconds=seconds, reason_code=None, note="")

    @rule()
    def reverse(self) -> None:
        attempt = self.newest()
        entry = attempt.time_entries.last() if attempt else None
        if entry is not None:
            self.act(services.reverse_time, by=self.staff, entry=entry, reason_code=None, note="")

    @rule(terms=st.sampled_from(TERMS), course=st.booleans())
    def grant(self, terms: Terms, course: bool) -> None:
        exam = None if course else self.exam
        wanted = Grant(user=self.user, course_id=self.exam.course_id, exam=exam, terms=terms)
        grant_allowance(wanted, by=self.staff, now=self.now)

    @rule()
    def withdraw(self) -> None:
        allowance = Allowance.objects.filter(user=self.user).first()
        if allowance is not None:
            withdraw_allowance(allowance, by=self.staff, now=self.now)

    @rule(new=st.sampled_from(Status), actors=st.sets(ACTORS, min_size=1))
    def administer(self, new: Status, actors: set[Actor]) -> None:
        self.act(services.change_status, new=new, by=self.staff, actors=actors, reason="wish")

    @rule(minutes=st.sampled_from([None, -30, 5, 60]), past_due=st.booleans())
    def move_dates(self, minutes: int | None, past_due: bool) -> None:
        due_at = None if minutes is None else self.now + minutes * MINUTE
        changes = {"due_at": due_at, "accommodations_past_due": past_due}
        self.exam = change_exam(self.exam, changes, by=self.staff, now=self.now)

    @rule(blocked=st.sampled_from([None, None, *OnboardingBlock]))
    def register(self, blocked: OnboardingBlock | None) -> None:
        attempt = self.newest()
        external_id = f"ext-{attempt.pk}" if attempt else ""
        answer = RegisteredAttempt(external_id=external_id, blocked=blocked, launch=LaunchData())
        self.act(record_registration, answer=answer)

    @rule(status=st.sampled_from(ReviewStatus), minutes=st.sampled_from([0, 0, -20]))
    def review(self, status: ReviewStatus, minutes: int) -> None:
        event = AttemptReviewed(occurred_at=self.now + minutes * MINUTE, external_id="", status=status)
        self.act(receive_review, event=event, message=None)

    @rule()
    def sweep(self) -> None:
        end_overdue(now=self.now)
        for attempt in Attempt.objects.filter(exam=self.exam):
            apply_kept_review(attempt, now=self.now)

    @invariant()
    def at_most_one_attempt_is_open(self) -> None:
        rows = list(Attempt.objects.filter(exam__in=[getattr(self, "exam", None)]))
        assert sum(row.status in states.OPEN for row in rows) <= 1
        assert all((row.open_slot == 1) is (row.status in states.OPEN) for row in rows)
        assert sorted(row.number for row in rows) == list(range(1, len(rows) + 1))

    @invariant()
    def times_follow_from_the_ledger(self) -> None:
        for row in Attempt.objects.filter(exam__in=[getattr(self, "exam", None)]).prefetch_related("time_entries"):
            applied = [entry for entry in row.time_entries.all() if entry.state == "applied"]
            assert row.total_seconds == sum(entry.seconds for entry in applied) >= 0
            if row.status not in states.OPEN:
                assert row.ended_at is not None
                assert row.ended_at <= self.now
                assert row.started_at is None or row.started_at <= row.ended_at
                assert self.over.setdefault(row.pk, row.ended_at) == row.ended_at
                continue
            assert row.ended_at is None
            closes_at = self.exam.due_at
            if closes_at is not None and self.exam.accommodations_past_due:
                reaching = sum(e.seconds for e in applied if e.kind in ACCOMMODATIONS)
                closes_at += timedelta(seconds=row.inherited_accommodation_seconds + reaching)
            assert row.closes_at == closes_at
            assert (row.paused_at is not None) is (row.status == Status.PAUSED)
            if row.started_at is None or row.status == Status.PAUSED:
                assert row.expires_at is None
            else:
                end = row.started_at + timedelta(seconds=row.total_seconds)
                assert row.expires_at == max(row.started_at, min(end, closes_at or end))
                assert row.status_at(self.now) in {Status.STARTED, Status.READY_TO_SUBMIT} or row.expires_at <= self.now

    @invariant()
    def open_attempts_have_what_their_allowances_come_to(self) -> None:
        exam = getattr(self, "exam", None)
        for row in Attempt.objects.filter(exam__in=[exam], status__in=states.OPEN).prefetch_related("time_entries"):
            rules = in_force(Allowance.objects.filter(user=self.user), row.exam_id, self.exam.course_id)
            entries = [entry for entry in row.time_entries.all() if entry.state == "applied"]
            given = row.inherited_allowance_seconds + sum(e.seconds for e in entries if e.kind == "allowance")
            wanted = granted_seconds(row.base_seconds, rules)
            # More only where some of it had been used up when it was taken back.
            sums = accumulate(entry.seconds for entry in entries)
            used_up = any(so_far == 0 and e.kind == "allowance" for e, so_far in zip(entries, sums, strict=True))
            assert given == wanted or (given > wanted and used_up)

    @invariant()
    def chains_inherit_what_they_were_given(self) -> None:
        for row in Attempt.objects.filter(exam__in=[getattr(self, "exam", None)]).select_related("resumed_from"):
            before = row.resumed_from
            if before is None:
                assert (row.inherited_allowance_seconds, row.inherited_accommodation_seconds) == (0, 0)
                continue
            given = before.time_entries.filter(state="applied", kind="allowance").values_list("seconds", flat=True)
            assert row.base_seconds == before.base_seconds
            assert row.inherited_allowance_seconds == before.inherited_allowance_seconds + sum(given)

    @invariant()
    def the_history_is_complete_and_legal(self) -> None:
        for row in Attempt.objects.filter(exam__in=[getattr(self, "exam", None)]):
            told = list(row.history.order_by("history_id").values_list("status", flat=True))
            assert told[0] == Status.CREATED
            assert told[-1] == row.status
            for old, new in pairwise(told):
                assert old == new or any(can_become(old, new, actor) for actor in Actor)
            if row.pk in self.decided:
                assert row.status_at(self.now) not in states.OPEN
            elif row.status in states.DECIDED:
                self.decided.add(row.pk)


@pytest.mark.long
class LivesTest(TestCase):
    def test_no_sequence_of_actions_breaks_an_invariant(self) -> None:
        keys = {**django_settings.PROCTORING, "BACKENDS": VENDOR}
        with override_settings(PROCTORING=keys):
            run_state_machine_as_test(
                Lives,
                settings=settings(
                    max_examples=60 if connection.vendor == "sqlite" else 15,
                    stateful_step_count=30,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow],
                ),
            )
