"""Many attempts at once: each has its own result, and the record is true whatever happens."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.errors import NotPermitted, RuleBroken
from proctoring.exams.models import Exam
from proctoring.host import Role
from proctoring.invigilation import choosing
from proctoring.invigilation.bulk import _act, carry_out, go_on, record_bulk_action, settle
from proctoring.invigilation.choosing import choose_found, choose_named
from proctoring.invigilation.models import BulkAction
from proctoring.monitoring.models import Command, Presence, milliseconds
from proctoring.signals import attempt_status_changed
from tests.factories import AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import ScriptedHost
from tests.invigilation.doing import HALF_PAST, LATER, NOISE, do_to_all, killed_after, now_of, results, undo, wish

pytestmark = pytest.mark.django_db

ELSEWHERE = "course-v1:Demo+Elsewhere+2026"


class TestResults:
    def test_each_attempt_has_its_own(self, sitting: Any, proctor: AbstractUser) -> None:
        attempts = [*sitting(2), *sitting(1, "paused"), *sitting(1, "submitted")]
        bulk = do_to_all(attempts, "pause", proctor)
        refused = ("refused", "illegal_transition")
        assert results(bulk) == [("done", ""), ("done", ""), refused, refused]
        assert [now_of(one).status for one in attempts] == ["paused", "paused", "paused", "submitted"]
        assert Command.objects.filter(kind="pause").count() == 2
        assert (bulk.by, bulk.action, bulk.reason_code, bulk.comment) == (proctor, "pause", NOISE, "Drilling next door")
        assert bulk.finished_at == HALF_PAST

    def test_a_name_that_comes_twice_is_one(self, sitting: Any, proctor: AbstractUser) -> None:
        (attempt,) = sitting()
        assert results(do_to_all([attempt, attempt], "extend", proctor)) == [("done", "")]
        assert now_of(attempt).total_seconds == 4200

    def test_ones_own_is_refused(self, exam: Exam, sitting: Any, proctor: AbstractUser) -> None:
        own = AttemptFactory(exam=exam, user=proctor, status="started")
        bulk = do_to_all([own, *sitting()], "pause", proctor)
        assert results(bulk) == [("refused", "own_attempt"), ("done", "")]

    def test_a_receiver_that_breaks_hides_nobody_else(self, sitting: Any, proctor: AbstractUser) -> None:
        attempts = sitting(3)

        def burst(instance: Attempt, **_: Any) -> None:
            if instance.pk == attempts[1].pk:
                raise RuntimeError("the host's receiver")

        post_save.connect(burst, sender=Attempt)
        try:
            bulk = do_to_all(attempts, "pause", proctor)
        finally:
            post_save.disconnect(burst, sender=Attempt)
        assert results(bulk) == [("done", ""), ("refused", "failed"), ("done", "")]
        assert [now_of(one).status for one in attempts] == ["paused", "started", "paused"]
        assert not Command.objects.filter(attempt=attempts[1]).exists()

    @pytest.mark.django_db(transaction=True)
    def test_what_breaks_after_the_commit_has_been_done(self, sitting: Any, proctor: AbstractUser) -> None:
        attempts = sitting(2)

        def burst() -> None:
            raise RuntimeError("after the commit")

        def listen(instance: Attempt, **_: Any) -> None:
            transaction.on_commit(burst)

        post_save.connect(listen, sender=Attempt)
        try:
            bulk = do_to_all(attempts, "pause", proctor)
        finally:
            post_save.disconnect(listen, sender=Attempt)
        assert results(bulk) == [("done", "")] * 2
        assert [now_of(one).status for one in attempts] == ["paused"] * 2

    @pytest.mark.django_db(transaction=True)
    def test_a_killed_worker_leaves_a_true_record(self, sitting: Any, proctor: AbstractUser) -> None:
        attempts = sitting(3)

        def kill(attempt: Attempt, **_: Any) -> None:
            if attempt.pk == attempts[1].pk:
                raise SystemExit

        attempt_status_changed.connect(kill)
        try:
            with pytest.raises(SystemExit):
                do_to_all(attempts, "pause", proctor)
        finally:
            attempt_status_changed.disconnect(kill)
        bulk = BulkAction.objects.get()
        assert results(bulk) == [("done", ""), ("done", ""), ("", "")]
        assert [now_of(one).status for one in attempts] == ["paused", "paused", "started"]
        assert bulk.finished_at is None

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("action", ["pause", "terminate"])
    def test_somebody_goes_on_where_a_worker_was_killed(self, sitting: Any, proctor: AbstractUser, action: str) -> None:
        attempts = sitting(3)
        with killed_after(attempts[0]), pytest.raises(KeyboardInterrupt):
            do_to_all(attempts, action, proctor)
        bulk = BulkAction.objects.get()
        with time_machine.travel(LATER, tick=False):
            go_on(bulk, by=proctor)
        assert results(bulk) == [("done", "")] * 3
        assert Command.objects.filter(kind=action).count() == 3
        assert BulkAction.objects.get().finished_at == LATER

    def test_of_what_is_finished_or_undone_nothing_is_left(self, sitting: Any, proctor: AbstractUser) -> None:
        choice = choose_named([one.pk for one in sitting(2)], by=proctor)
        bulk = record_bulk_action(choice, wish("reload"), by=proctor)
        undo(bulk, proctor)
        go_on(bulk, by=proctor)
        assert results(bulk) == [("refused", "stopped")] * 2
        finished = do_to_all(sitting(1), "reload", proctor)
        with time_machine.travel(LATER, tick=False):
            go_on(finished, by=proctor)
        assert BulkAction.objects.get(pk=finished.pk).finished_at == HALF_PAST

    def test_whoever_goes_on_needs_the_right_to(self, lms: ScriptedHost, sitting: Any, proctor: AbstractUser) -> None:
        far = AttemptFactory(exam=ExamFactory(course_id=ELSEWHERE), status="started")
        lms.roles.add((proctor.pk, ELSEWHERE, Role.INVIGILATOR))
        choice = choose_named([far.pk, *(one.pk for one in sitting(1))], by=proctor)
        bulk = record_bulk_action(choice, wish("flag"), by=proctor)
        lms.roles.remove((proctor.pk, ELSEWHERE, Role.INVIGILATOR))
        lms.roles.add((proctor.pk, ELSEWHERE, Role.REVIEWER))
        go_on(bulk, by=proctor)
        assert results(bulk) == [("refused", "not_permitted"), ("done", "")]

    def test_what_two_go_on_with_is_done_once(self, sitting: Any, proctor: AbstractUser) -> None:
        """The slower one has read of an item that it waits, and finds it done."""
        attempts = sitting(2)
        choice = choose_named([one.pk for one in attempts], by=proctor)
        bulk = record_bulk_action(choice, wish("extend"), by=proctor)
        slow = list(bulk.items.all())
        with time_machine.travel(HALF_PAST, tick=False):
            go_on(bulk, by=proctor)
            for item, target in zip(slow, choice.targets, strict=True):
                settle(item, partial(_act, target, bulk.wish, proctor))
        assert results(bulk) == [("done", "")] * 2
        assert [now_of(one).total_seconds for one in attempts] == [4200] * 2
        assert Command.objects.count() == 2

    def test_the_record_is_there_before_the_first_attempt_is_touched(self, sitting: Any, proctor: AbstractUser) -> None:
        choice = choose_named([one.pk for one in sitting(2)], by=proctor)
        bulk = record_bulk_action(choice, wish("pause"), by=proctor)
        assert results(bulk) == [("", ""), ("", "")]
        assert not Attempt.objects.filter(status="paused").exists()

    def test_what_was_undone_meanwhile_is_not_done_any_more(self, sitting: Any, proctor: AbstractUser) -> None:
        attempts = sitting(2)
        choice = choose_named([one.pk for one in attempts], by=proctor)
        bulk = record_bulk_action(choice, wish("reload"), by=proctor)
        bulk.items.filter(attempt=attempts[1]).update(result="refused", code="stopped")
        with time_machine.travel(HALF_PAST, tick=False):
            carry_out(bulk, choice, by=proctor)
        assert results(bulk) == [("done", ""), ("refused", "stopped")]
        assert Command.objects.filter(attempt=attempts[1]).count() == 0

    def test_the_overhead_is_constant(self, sitting: Any, proctor: AbstractUser) -> None:
        def cost(number: int) -> int:
            attempts = sitting(number)
            with CaptureQueriesContext(connection) as captured:
                do_to_all(attempts, "pause", proctor)
            return sum(not query["sql"].startswith(("SAVEPOINT", "RELEASE")) for query in captured.captured_queries)

        cost(1)
        one, nine = cost(1), cost(9)
        # The four of the step, two of the command, and the item's own.
        assert nine - one == 8 * 7
        assert one - 7 <= 6


class TestNamed:
    def test_other_courses_are_refused_row_by_row(self, lms: ScriptedHost, sitting: Any, proctor: AbstractUser) -> None:
        watched = AttemptFactory(exam=ExamFactory(course_id=ELSEWHERE), status="started")
        hidden = AttemptFactory(exam=ExamFactory(course_id="hidden"), status="started")
        lms.roles.add((proctor.pk, ELSEWHERE, Role.REVIEWER))
        (mine,) = sitting()
        bulk = do_to_all([watched, mine, hidden], "pause", proctor)
        assert results(bulk) == [("refused", "not_permitted"), ("done", ""), ("refused", "not_found")]
        assert [item.attempt_id for item in bulk.items.all()] == [None, mine.pk, None]
        assert [now_of(one).status for one in (watched, hidden)] == ["started", "started"]

    def test_who_intervenes_in_none_of_them_is_refused_as_a_whole(
        self, lms: ScriptedHost, proctor: AbstractUser
    ) -> None:
        watched = AttemptFactory(exam=ExamFactory(course_id=ELSEWHERE), status="started")
        lms.roles.add((proctor.pk, ELSEWHERE, Role.REVIEWER))
        with pytest.raises(NotPermitted):
            choose_named([watched.pk, 10**9], by=proctor)

    def test_the_host_is_asked_about_each_course_once(
        self, sitting: Any, proctor: AbstractUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []
        ask = choosing.capacity
        monkeypatch.setattr(choosing, "capacity", lambda *a: asked.append(a) or ask(*a))
        choose_named([one.pk for one in sitting(5)], by=proctor)
        assert len(asked) == 1


class TestFound:
    def find(self, exam: Exam, by: Any, **criteria: Any) -> set[int]:
        return {target.asked for target in choose_found(exam, criteria, by=by, now=HALF_PAST).targets}

    def test_by_status_as_a_reader_sees_it(self, exam: Exam, sitting: Any, proctor: AbstractUser) -> None:
        running, overdue = sitting(2)
        Attempt.objects.filter(pk=overdue.pk).update(expires_at=at(10, 29))
        ended = sitting(1, "submitted")[0]
        AttemptFactory(status="started")
        assert self.find(exam, proctor, status="started") == {running.pk}
        assert self.find(exam, proctor, status="submitted") == {overdue.pk, ended.pk}
        assert self.find(exam, proctor) == {running.pk, overdue.pk, ended.pk}

    def test_by_person(self, exam: Exam, sitting: Any, proctor: AbstractUser) -> None:
        ada, bob = (sitting(1, user=UserFactory(username=name, first_name=name))[0] for name in ("ada", "bob"))
        assert self.find(exam, proctor, user="ada") == self.find(exam, proctor, user=ada.user_id) == {ada.pk}
        assert self.find(exam, proctor, user="ad") == set()
        assert self.find(exam, proctor, search="AD") == {ada.pk}
        assert self.find(exam, proctor, search="bo", status="started") == {bob.pk}

    def test_by_how_the_page_stands(self, exam: Exam, sitting: Any, proctor: AbstractUser) -> None:
        attempts = dict(zip(("online", "late", "lost", "ended", "never"), sitting(5), strict=True))
        Attempt.objects.filter(pk=attempts["ended"].pk).update(status="submitted", open_slot=None)
        for name, seen in {"online": at(10, 29), "late": at(10, 27), "lost": at(10, 20), "ended": at(10, 29)}.items():
            Presence.objects.create(
                attempt=attempts[name],
                last_seen_at=seen,
                interval_seconds=30,
                late_at_ms=milliseconds(seen) + 150_000,
                lost_at_ms=milliseconds(seen) + 300_000,
            )
        for state in ("online", "late", "lost"):
            assert self.find(exam, proctor, state=state) == {attempts[state].pk}

    def test_too_many_are_refused(
        self, exam: Exam, sitting: Any, proctor: AbstractUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(choosing, "MAX_ATTEMPTS", 2)
        sitting(2)
        assert len(self.find(exam, proctor)) == 2
        sitting(1)
        with pytest.raises(RuleBroken) as refused:
            self.find(exam, proctor)
        assert refused.value.code == "too_many_attempts"

    def test_but_not_slice_by_slice(
        self, exam: Exam, sitting: Any, proctor: AbstractUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(choosing, "MAX_ATTEMPTS", 2)
        keys = [one.pk for one in sitting(5)]
        slices, after = [], 0
        while after is not None:
            choice = choose_found(exam, {"status": "started", "after": after}, by=proctor, now=HALF_PAST)
            bulk = record_bulk_action(choice, wish("pause"), by=proctor)
            carry_out(bulk, choice, by=proctor)
            assert bulk.filter["after"] == after
            slices.append(list(bulk.items.values_list("asked", flat=True)))
            after = bulk.more
        assert slices == [keys[:2], keys[2:4], keys[4:]]
        # The last one is full, and nobody is left.
        assert choose_found(exam, {"after": keys[2]}, by=proctor, now=HALF_PAST).more is None

    def test_not_for_strangers(self, exam: Exam, lms: ScriptedHost) -> None:
        with pytest.raises(NotPermitted):
            choose_found(exam, {}, by=UserFactory(), now=HALF_PAST)

    def test_the_record_says_what_was_looked_for(self, exam: Exam, sitting: Any, proctor: AbstractUser) -> None:
        sitting(1)
        choice = choose_found(exam, {"status": "started"}, by=proctor, now=HALF_PAST)
        bulk = record_bulk_action(choice, wish("extend"), by=proctor)
        assert (bulk.exam, bulk.filter, bulk.minutes) == (exam, {"status": "started"}, 10)


class TestWhoSees:
    def seen(self, user: Any) -> set[int]:
        return set(BulkAction.objects.visible_to(user).values_list("pk", flat=True))

    def test_whoever_may_intervene_in_all_that_it_touched(
        self, lms: ScriptedHost, exam: Exam, sitting: Any, proctor: AbstractUser
    ) -> None:
        far, colleague, both = ExamFactory(course_id=ELSEWHERE), UserFactory(), UserFactory()
        lms.roles |= {(proctor.pk, ELSEWHERE, Role.STAFF), (colleague.pk, exam.course_id, Role.STAFF)}
        lms.roles |= {(both.pk, course, Role.INVIGILATOR) for course in (exam.course_id, ELSEWHERE)}
        near = do_to_all(sitting(2), "flag", proctor)
        mixed = do_to_all([*sitting(1), AttemptFactory(exam=far, status="started")], "flag", proctor)
        assert self.seen(proctor) == self.seen(both) == {near.pk, mixed.pk}
        assert self.seen(colleague) == {near.pk}
        assert self.seen(UserFactory()) == set()
        lms.roles.discard((proctor.pk, ELSEWHERE, Role.STAFF))
        assert self.seen(proctor) == {near.pk}

    def test_of_nothing_but_what_was_not_found_only_who_wanted_it(
        self, lms: ScriptedHost, exam: Exam, proctor: AbstractUser
    ) -> None:
        colleague = UserFactory()
        lms.roles.add((colleague.pk, exam.course_id, Role.STAFF))
        bulk = record_bulk_action(choose_named([10**9], by=proctor), wish("flag"), by=proctor)
        assert (self.seen(proctor), self.seen(colleague)) == ({bulk.pk}, set())
        empty = record_bulk_action(choose_found(exam, {}, by=proctor, now=HALF_PAST), wish("flag"), by=proctor)
        assert self.seen(colleague) == {empty.pk}
        assert Status.STARTED not in [item.result for item in empty.items.all()]
