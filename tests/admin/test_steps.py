"""Steps: which are offered, that they go through the services, and that what is refused changes nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from proctoring.admin.steps import BULK, STEPS
from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.states import OPEN, TRANSITIONS, Actor, Status
from proctoring.attempts.timing import EntryKind
from proctoring.exams.models import Exam, ExamType
from proctoring.invigilation.actions import Action
from proctoring.outbox.models import Delivery, Operation
from tests.factories import AttemptFactory

from .conftest import (
    LIST,
    NOISE,
    address,
    errors,
    everything,
    offered,
    say,
    step_address,
    take,
    together,
    told,
)

# Which steps are offered


@pytest.mark.parametrize("status", Status.values)
@pytest.mark.parametrize("role", ["staff", "invigilator", "reviewer"])
def test_exactly_the_steps_of_the_table_are_offered(
    as_person: Callable[..., Client], exam: Exam, role: str, status: str
) -> None:
    attempt = AttemptFactory(exam=exam, status=status)
    held = {"staff": {Actor.STAFF, Actor.PROCTOR}, "invigilator": {Actor.PROCTOR}, "reviewer": {Actor.REVIEWER}}[role]
    AttemptFactory._meta.model.objects.filter(pk=attempt.pk).update(expires_at=timezone.now() + timedelta(hours=1))
    allowed = {new for new, actors in TRANSITIONS.get(Status(status), {}).items() if actors & held}
    names = offered(as_person(f"{role}-of-algebra").get(address(attempt)))
    steps = {STEPS[name].leads_to for name in names} - {None}
    # A sample's own reset is the step "reset", which every attempt has.
    assert steps == allowed - {Status.ONBOARDING_RESET}
    for while_open in ("extend", "message", "reload"):
        assert (while_open in names) is (status in OPEN and role != "reviewer")
    assert ("flag" in names) is (role != "reviewer")
    assert ("authorize_resume" in names) is (
        role == "staff" and status in ("error", "terminated", "submitted", "timed_out")
    )
    assert ("reset" in names) is (role == "staff")


def test_nobody_is_offered_anything_for_their_own_attempt(as_person: Callable[..., Client], exam: Exam) -> None:
    staff = as_person("staff-of-algebra")
    own = AttemptFactory(exam=exam, user=User.objects.get(username="staff-of-algebra"), status=Status.SUBMITTED)
    before = everything(own)
    assert offered(staff.get(address(own))) == set()
    assert "attempt is your own" in errors(take(staff, own, "authorize_resume"))
    assert "attempt is your own" in errors(take(staff, own, "void"))
    assert everything(own) == before


def test_resume_is_offered_once(boss_client: Client, make_attempt: Callable[..., Attempt]) -> None:
    attempt = make_attempt("submitted")
    assert "authorize_resume" in offered(boss_client.get(address(attempt)))
    take(boss_client, attempt, "authorize_resume")
    assert "authorize_resume" not in offered(boss_client.get(address(attempt)))


# Taking a step


def test_button_leads_to_a_question_and_changes_nothing(boss_client: Client, attempt: Attempt) -> None:
    before = everything(attempt)
    for name in offered(boss_client.get(address(attempt))):
        assert step_address(attempt, name) in boss_client.get(address(attempt)).content.decode()
        question = boss_client.get(step_address(attempt, name)).content.decode()
        assert "csrfmiddlewaretoken" in question
        assert str(STEPS[name].explanation) in question.replace("&#x27;", "'")
    assert everything(attempt) == before
    assert boss_client.get(step_address(attempt, "erase")).status_code == 404


def test_pause_keeps_who_and_why(boss_client: Client, boss: User, attempt: Attempt) -> None:
    before = attempt.history.count()
    assert take(boss_client, attempt, "pause")["Location"] == address(attempt)
    attempt.refresh_from_db()
    assert attempt.status == Status.PAUSED
    assert attempt.expires_at is None
    assert attempt.history.count() == before + 1
    newest = attempt.history.first()
    assert (newest.history_user, newest.history_change_reason) == (boss, f"{NOISE}: fire alarm")


def test_end_of_a_pause_is_written_into_the_ledger(
    boss_client: Client, boss: User, make_attempt: Callable[..., Attempt]
) -> None:
    attempt = make_attempt("paused")
    Attempt.objects.filter(pk=attempt.pk).update(paused_at=timezone.now() - timedelta(minutes=5))
    assert take(boss_client, attempt, "resume").status_code == 302
    entry = attempt.time_entries.get(kind=EntryKind.PAUSE)
    assert 300 <= entry.seconds <= 310
    assert (entry.by, entry.note, entry.reason_code) == (boss, "fire alarm", NOISE)


def test_extension_moves_the_deadline(boss_client: Client, boss: User, attempt: Attempt) -> None:
    deadline = attempt.expires_at
    assert take(boss_client, attempt, "extend", minutes=15).status_code == 302
    attempt.refresh_from_db()
    assert deadline is not None
    assert attempt.expires_at == deadline + timedelta(minutes=15)
    assert attempt.time_entries.get(kind=EntryKind.EXTRA_TIME).by == boss


def test_time_is_corrected_in_either_direction(boss_client: Client, attempt: Attempt) -> None:
    assert take(boss_client, attempt, "correct_time", seconds=-120, reason_code="").status_code == 302
    attempt.refresh_from_db()
    assert attempt.total_seconds == 3480
    assert attempt.time_entries.get(kind=EntryKind.CORRECTION).reason_code is None


def test_vendor_is_promised_what_it_must_hear(
    boss_client: Client, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proctoring.backends.null.NullBackend.registers_attempts", True)
    assert take(boss_client, attempt, "terminate").status_code == 302
    assert Delivery.objects.filter(operation=Operation.REPORT_SUBMITTED, target_id=attempt.pk).count() == 1


@pytest.mark.parametrize(
    ("status", "step", "after"),
    [
        ("created", "ready", Status.READY_TO_START),
        ("started", "submit", Status.SUBMITTED),
        ("started", "fail", Status.ERROR),
        ("started", "terminate", Status.TERMINATED),
        ("started", "void", Status.VOIDED),
        ("submitted", "reset", Status.VOIDED),
        ("submitted", "verify", Status.VERIFIED),
        ("submitted", "reject", Status.REJECTED),
        ("submitted", "second_review", Status.SECOND_REVIEW_REQUIRED),
        ("submitted", "not_reviewable", Status.ERROR),
        ("error", "submit", Status.SUBMITTED),
        ("verified", "reject", Status.REJECTED),
    ],
)
def test_step_does_what_it_says(boss_client: Client, exam: Exam, status: str, step: str, after: Status) -> None:
    attempt = AttemptFactory(exam=exam, status=status)
    Attempt.objects.filter(status="started").update(expires_at=timezone.now() + timedelta(hours=1))
    response = boss_client.post(step_address(attempt, step), say(), follow=True)
    attempt.refresh_from_db()
    assert attempt.status == after
    assert told(response) == [f"“{attempt.user}, Final #1”: {STEPS[step].done}"]


@pytest.mark.parametrize(
    ("step", "wrong", "sentence"),
    [
        ("pause", {"comment": "  "}, "This field is required."),
        ("pause", {"reason_code": ""}, "This field is required."),
        ("pause", {"reason_code": 77}, "not one of the available choices"),
        ("pause", {"comment": "x" * 2001}, "at most 2000 characters"),
        ("extend", {"minutes": 0}, "greater than or equal to 1"),
        ("extend", {"minutes": 1441}, "less than or equal to 1440"),
        ("extend", {"minutes": "ten"}, "Enter a whole number."),
        ("correct_time", {"seconds": 0}, "Must not be 0."),
        ("correct_time", {"seconds": -7200}, "cannot fall below 0"),
        ("correct_time", {"seconds": 10**30}, "less than or equal to"),
    ],
)
def test_step_that_is_not_explained_is_refused_and_nothing_changes(
    boss_client: Client, attempt: Attempt, step: str, wrong: dict[str, Any], sentence: str
) -> None:
    before = everything(attempt)
    fields = {**say(), **wrong}
    assert sentence in errors(boss_client.post(step_address(attempt, step), fields))
    assert everything(attempt) == before


@pytest.mark.parametrize(
    "step",
    sorted(
        set(STEPS)
        - {"extend", "flag", "message", "pause", "submit", "fail", "reload", "terminate", "reset", "set_risk", "void"}
    ),
)
def test_step_that_the_status_does_not_allow_is_refused_in_words(
    boss_client: Client, attempt: Attempt, step: str
) -> None:
    if step == "correct_time":
        Attempt.objects.filter(pk=attempt.pk).update(status=Status.VERIFIED, open_slot=None)
    before = everything(attempt)
    assert any(
        words in errors(take(boss_client, attempt, step)) for words in ("not possible", "cannot be", "can no longer be")
    )
    assert everything(attempt) == before


def test_page_that_was_overtaken_changes_nothing(boss_client: Client, make_attempt: Callable[..., Attempt]) -> None:
    paused = make_attempt("paused")
    before = everything(paused)
    assert "Meanwhile" in errors(take(boss_client, paused, "terminate", seen="started"))
    assert everything(paused) == before


def test_step_after_the_deadline_is_refused_and_nothing_changes(boss_client: Client, attempt: Attempt) -> None:
    question = boss_client.get(step_address(attempt, "pause")).context["hidden"]
    Attempt.objects.filter(pk=attempt.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    before = everything(attempt)
    assert "Meanwhile" in errors(take(boss_client, attempt, "pause", **question))
    assert "not possible" in errors(take(boss_client, attempt, "pause"))
    assert "can no longer be changed" in errors(take(boss_client, attempt, "extend"))
    assert everything(attempt) == before


def test_step_without_the_token_is_refused(boss: User, attempt: Attempt) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(boss)
    assert take(strict, attempt, "void").status_code == 403
    attempt.refresh_from_db()
    assert attempt.status == Status.STARTED


def test_staff_cannot_forge_a_verdict_and_a_reviewer_decides(
    as_person: Callable[..., Client], make_attempt: Callable[..., Attempt]
) -> None:
    attempt = make_attempt("submitted")
    assert "not possible" in errors(take(as_person("staff-of-algebra"), attempt, "verify"))
    assert take(as_person("invigilator-of-algebra"), attempt, "verify").status_code == 403
    assert take(as_person("reviewer-of-algebra"), attempt, "verify").status_code == 302
    attempt.refresh_from_db()
    assert attempt.status == Status.VERIFIED
    assert attempt.history.first().history_user.get_username() == "reviewer-of-algebra"


@pytest.mark.parametrize("step", sorted(STEPS))
def test_step_is_not_found_by_staff_of_another_course(
    as_person: Callable[..., Client], attempt: Attempt, step: str
) -> None:
    before = everything(attempt)
    stranger = as_person("staff-of-botany")
    assert stranger.get(step_address(attempt, step)).status_code == 404
    assert take(stranger, attempt, step).status_code == 404
    assert everything(attempt) == before


# Several at once


@pytest.mark.parametrize("step", [step.name for step in BULK])
def test_list_asks_why_first(boss_client: Client, make_attempt: Callable[..., Attempt], step: str) -> None:
    attempts = [make_attempt("submitted"), make_attempt("submitted")]
    first = {"action": step, ACTION_CHECKBOX_NAME: [one.pk for one in attempts], "index": 0}
    page = boss_client.post(reverse(LIST), first)
    assert page.status_code == 200
    assert all(str(one.user) in page.content.decode() for one in attempts)
    assert 'name="comment"' in page.content.decode()
    assert "This field is required." in errors(boss_client.post(reverse(LIST), together(step, *attempts, reason=" ")))
    assert not Attempt.objects.exclude(retry_kind="").exists()
    assert Attempt.objects.filter(status=Status.SUBMITTED).count() == 2


def test_resume_is_authorised_with_its_reason(
    boss_client: Client, boss: User, make_attempt: Callable[..., Attempt]
) -> None:
    attempt = make_attempt("submitted")
    response = boss_client.post(reverse(LIST), together("authorize_resume", attempt), follow=True)
    assert told(response) == [f"“{attempt.user}, Final #1”: a resume is authorised."]
    attempt.refresh_from_db()
    assert (attempt.retry_kind, attempt.retry_granted_by) == (RetryKind.RESUME, boss)
    assert attempt.history.first().history_change_reason == f"resume authorised: {NOISE}: fire alarm"


def test_each_of_several_has_its_own_result(boss_client: Client, make_attempt: Callable[..., Attempt]) -> None:
    one, other = make_attempt("submitted"), make_attempt("started")
    response = boss_client.post(reverse(LIST), together("authorize_resume", one, other), follow=True)
    assert sorted(told(response)) == sorted(
        [
            f"“{one.user}, Final #1”: a resume is authorised.",
            f"“{other.user}, Final #1”: This attempt cannot be resumed.",
        ]
    )


def test_reset_of_several_voids_and_grants_fresh_attempts(boss_client: Client, attempt: Attempt) -> None:
    boss_client.post(reverse(LIST), together("reset", attempt))
    attempt.refresh_from_db()
    assert (attempt.status, attempt.retry_kind) == (Status.VOIDED, RetryKind.FRESH)
    assert attempt.history.first().history_change_reason == f"reset: {NOISE}: fire alarm"


def test_reset_of_a_practice_attempt_leads_back_to_it(as_person: Callable[..., Client], exam: Exam) -> None:
    """Not to the next one, which is there at once."""
    Exam.objects.filter(pk=exam.pk).update(exam_type=ExamType.PRACTICE)
    attempt = AttemptFactory(exam=exam, status=Status.SUBMITTED)
    client = as_person("staff-of-algebra")
    response = take(client, attempt, "reset")
    assert Attempt.objects.filter(exam=exam, user=attempt.user).count() == 2
    assert (response.status_code, response["Location"]) == (302, address(attempt))
    name = f"{attempt.user}, Final #1"
    assert told(client.get(address(attempt))) == [f"“{name}”: reset, a fresh attempt is granted."]


def test_too_many_at_once_are_refused(
    boss_client: Client, make_attempt: Callable[..., Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proctoring.admin.base.AT_ONCE", 1)
    attempts = [make_attempt(), make_attempt()]
    response = boss_client.post(reverse(LIST), together("void", *attempts), follow=True)
    assert told(response) == ["Choose at most 1 row at once."]
    assert Attempt.objects.filter(status=Status.STARTED).count() == 2


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        ("staff", {"authorize_resume", "reset", *Action.values}),
        ("invigilator", {*Action.values}),
        ("reviewer", set()),
    ],
)
def test_list_offers_what_the_role_allows(
    as_person: Callable[..., Client], attempt: Attempt, role: str, actions: set[str]
) -> None:
    person = as_person(f"{role}-of-algebra")
    form = person.get(reverse(LIST)).context["action_form"]
    found = {name for name, _label in form.fields["action"].choices if name} if form else set()
    assert found == actions
    before = everything(attempt)
    for name in {step.name for step in BULK} - actions:
        person.post(reverse(LIST), together(name, attempt))
    assert everything(attempt) == before
