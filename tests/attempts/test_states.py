"""The transition table: what it says, and that everything goes by it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import transaction

from proctoring.attempts import lifecycle, services, states
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Actor, Clock, Phase, Status, can_become
from proctoring.errors import IllegalTransition, ProctoringError
from proctoring.exams.models import ExamType
from tests.exchange.vendor import IMPATIENT, VENDOR
from tests.factories import AttemptFactory, ExamFactory, at
from tests.hosts import configure

CATALOGUES = Path(__file__).resolve().parent.parent / "catalogues"


def rows(name: str) -> list[dict[str, str]]:
    with (CATALOGUES / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


TABLE = {(row["from"], row["to"]): frozenset(row["actors"].split(";")) for row in rows("attempt_transitions")}
NOTES = {(row["from"], row["to"]): row["note"] for row in rows("attempt_transitions") if row["note"]}


def allowed(old: str, new: str, actor: str) -> bool:
    return actor in TABLE.get((old, new), ())


def test_statuses_mean_what_the_catalogue_says() -> None:
    ours = [
        (status.value, t.phase.value, t.clock.value, t.acs_status, t.edx_status, "yes" if t.open else "no")
        for status, t in states.TRAITS.items()
    ]
    assert ours == [tuple(row.values()) for row in rows("attempt_statuses")]


def test_every_status_has_traits() -> None:
    assert set(states.TRAITS) == set(Status)
    assert {
        status for status in Status if states.TRAITS[status].phase in ("setup", "running", "blocked")
    } == states.OPEN


def test_every_pair_and_actor_is_decided_as_the_catalogue_says() -> None:
    ours = {(o, n, a) for o in Status for n in Status for a in Actor if can_become(o, n, a)}
    theirs = {(o, n, a) for o in Status for n in Status for a in Actor if allowed(o.value, n.value, a.value)}
    assert ours == theirs
    assert sum(len(actors) for actors in TABLE.values()) == len(ours)


def test_conditions_are_noted_as_in_the_catalogue() -> None:
    assert {(old.value, new.value): str(note) for (old, new), note in states.NOTES.items()} == NOTES


@pytest.mark.parametrize(("old", "new"), [("nonsense", "started"), ("created", "nonsense"), ("", "")])
def test_unknown_words_can_become_nothing(old: str, new: str) -> None:
    assert not any(can_become(old, new, actor) for actor in Actor)


@pytest.mark.parametrize("old", list(Status), ids=str)
def test_a_move_follows_the_table_for_every_target_and_actor(old: Status, db: None) -> None:
    attempt = AttemptFactory(status=old)
    for new in Status:
        for actor in Actor:
            attempt.refresh_from_db()
            if not allowed(old.value, new.value, actor.value):
                with pytest.raises(IllegalTransition) as refused:
                    lifecycle.move(attempt, new, actor=actor, now=at(10, 30))
                assert refused.value.code == "illegal_transition"
                assert attempt.status == old
                continue
            with transaction.atomic():
                lifecycle.move(attempt, new, actor=actor, now=at(10, 30), reason="because")
                kept = Attempt.objects.get(pk=attempt.pk)
                assert kept.status == new
                assert (kept.open_slot == 1) is (new in states.OPEN)
                assert (kept.ended_at is None) is (new in states.OPEN)
                newest = kept.history.latest()
                assert (newest.status, newest.history_change_reason) == (new, "because")
                transaction.set_rollback(True)


Step = Callable[[Attempt, Any], Attempt]
NOW = at(10, 30)


def by(service: Callable[..., Attempt], actor: Actor) -> Step:
    return lambda attempt, user: service(attempt, by=user, actor=actor, now=NOW)


SERVICES: dict[str, tuple[Step, Status, Actor]] = {
    "launch": (
        lambda a, u: services.launch_software(a, by=u, now=NOW),
        Status.DOWNLOAD_SOFTWARE_CLICKED,
        Actor.CANDIDATE,
    ),
    "start": (lambda a, u: services.start_attempt(a, by=u, now=NOW), Status.STARTED, Actor.CANDIDATE),
    "stop": (lambda a, u: services.stop_attempt(a, by=u, now=NOW), Status.READY_TO_SUBMIT, Actor.CANDIDATE),
    "decline": (lambda a, u: services.decline_attempt(a, by=u, now=NOW), Status.DECLINED, Actor.CANDIDATE),
    **{
        f"{service.__name__}-{actor.value}": (by(service, actor), new, actor)
        for service, new in (
            (services.submit_attempt, Status.SUBMITTED),
            (services.report_error, Status.ERROR),
            (services.pause_attempt, Status.PAUSED),
            (services.terminate_attempt, Status.TERMINATED),
            (services.void_attempt, Status.VOIDED),
            (services.mark_ready, Status.READY_TO_START),
        )
        for actor in Actor
    },
    **{
        f"resume-{actor.value}": (by(services.resume_attempt, actor), Status.STARTED, actor)
        for actor in Actor
        if actor != Actor.CANDIDATE
    },
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_takes_the_steps_of_the_table_and_no_other(name: str, candidate: AbstractUser) -> None:
    service, new, actor = SERVICES[name]
    exam = ExamFactory(exam_type=ExamType.PROCTORED, allow_opt_out=True)
    for old in Status:
        attempt = AttemptFactory(exam=exam, status=old)
        history = attempt.history.count()
        if allowed(old.value, new.value, actor.value):
            assert service(attempt, candidate).status == new
        elif name == "launch" and old == new:
            assert service(attempt, candidate).status == new
            assert attempt.history.count() == history
            continue
        else:
            with pytest.raises(IllegalTransition):
                service(attempt, candidate)
            assert Attempt.objects.get(pk=attempt.pk).status == old
            assert attempt.history.count() == history
            continue
        assert attempt.history.count() == history + 1


@pytest.mark.parametrize("status", [Status.CREATED, Status.DOWNLOAD_SOFTWARE_CLICKED])
def test_an_unready_attempt_does_not_start_where_the_vendor_announces_readiness(
    status: Status, candidate: AbstractUser, settings: Any
) -> None:
    configure(settings, BACKENDS=VENDOR)
    attempt = AttemptFactory(exam__exam_type=ExamType.PROCTORED, exam__backend="vendor", user=candidate, status=status)
    with pytest.raises(IllegalTransition):
        services.start_attempt(attempt, by=candidate, now=at(10, 0))
    services.mark_ready(attempt, by=None, actor=Actor.VENDOR, now=at(10, 1))
    assert services.start_attempt(attempt, by=candidate, now=at(10, 2)).status == Status.STARTED


def test_an_attempt_whose_vendor_cannot_be_loaded_waits_for_readiness(candidate: AbstractUser, settings: Any) -> None:
    configure(settings, BACKENDS={"vendor": {"BACKEND": "no.such.Vendor"}})
    attempt = AttemptFactory(exam__exam_type=ExamType.PROCTORED, exam__backend="vendor", user=candidate)
    with pytest.raises(IllegalTransition):
        services.start_attempt(attempt, by=candidate, now=at(10, 0))


def test_a_created_attempt_starts_where_the_vendor_does_not_announce_readiness(
    candidate: AbstractUser, settings: Any
) -> None:
    configure(settings, BACKENDS=IMPATIENT)
    attempt = AttemptFactory(exam__exam_type=ExamType.PROCTORED, exam__backend="vendor", user=candidate)
    assert services.start_attempt(attempt, by=candidate, now=at(10, 0)).status == Status.STARTED


def test_a_timed_exam_starts_at_once(candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate)
    assert services.start_attempt(attempt, by=candidate, now=at(10, 0)).status == Status.STARTED


def test_only_practice_and_onboarding_attempts_are_replaced(staff: AbstractUser) -> None:
    attempt = AttemptFactory(status=Status.SUBMITTED, exam__exam_type=ExamType.PROCTORED)
    with pytest.raises(ProctoringError) as refused:
        services.change_status(attempt, Status.ONBOARDING_RESET, by=staff, actors=set(Actor), reason="", now=at(10, 30))
    assert refused.value.code == "retry_not_possible"
    assert Attempt.objects.get().status == Status.SUBMITTED


def test_an_ended_attempt_is_ended_once(staff: AbstractUser) -> None:
    attempt = AttemptFactory(status=Status.STARTED)
    services.submit_attempt(attempt, by=staff, actor=Actor.STAFF, now=at(10, 30))
    services.void_attempt(attempt, by=staff, actor=Actor.STAFF, now=at(10, 40))
    assert Attempt.objects.get().ended_at == at(10, 30)


@pytest.mark.parametrize("old", list(Status), ids=str)
def test_an_administrator_gets_where_the_table_lets_them_and_nowhere_else(old: Status, staff: AbstractUser) -> None:
    exam = ExamFactory(exam_type=ExamType.PRACTICE)
    actors = {Actor.STAFF, Actor.REVIEWER, Actor.PROCTOR}
    for new in Status:
        attempt = AttemptFactory(exam=exam, status=old)
        if any(allowed(old.value, new.value, actor.value) for actor in actors):
            answer = services.change_status(attempt, new, by=staff, actors=actors, reason="wish", now=at(10, 30))
            assert answer.status == Attempt.objects.get(pk=attempt.pk).status == new
        else:
            with pytest.raises(IllegalTransition):
                services.change_status(attempt, new, by=staff, actors=actors, reason="wish", now=at(10, 30))


def test_an_administrator_without_a_capacity_changes_nothing(staff: AbstractUser) -> None:
    attempt = AttemptFactory(status=Status.SUBMITTED)
    for actors in ({Actor.STAFF}, {Actor.PROCTOR}, set(), {Actor.CANDIDATE, Actor.VENDOR, Actor.SYSTEM}):
        with pytest.raises(IllegalTransition):
            services.change_status(attempt, Status.VERIFIED, by=staff, actors=actors, reason="", now=at(10, 30))
    assert Attempt.objects.get().status == Status.SUBMITTED


def test_staff_put_an_attempt_that_ran_into_its_deadline_back_from_error_to_submitted(staff: AbstractUser) -> None:
    attempt = AttemptFactory(status=Status.ERROR, ended_at=at(11, 0))
    assert attempt.ended_by_deadline
    answer = services.change_status(attempt, Status.SUBMITTED, by=staff, actors={Actor.STAFF}, reason="", now=at(12, 0))
    assert (answer.status, answer.ended_at) == (Status.SUBMITTED, at(11, 0))
    assert answer.submitted_at is None


def test_phases_that_end_keep_no_clock() -> None:
    ticking = {status for status in Status if states.TRAITS[status].clock != Clock.NONE}
    assert ticking == states.RUNNING == states.in_phase(Phase.RUNNING)


def test_a_reason_longer_than_the_column_is_cut(staff: AbstractUser) -> None:
    attempt = AttemptFactory(status=Status.STARTED)
    services.terminate_attempt(
        attempt, by=staff, actor=Actor.STAFF, reason="x" * 5000, now=at(10, 0) + timedelta(hours=0)
    )
    newest = attempt.history.latest()
    assert newest.history_change_reason == "x" * lifecycle.REASON_LENGTH
    assert newest.history_user == staff
