"""An attempt's page: the status goes through the service, a retry asks for its reason, all else is read."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from proctoring.attempts import ledger
from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.states import Status
from proctoring.attempts.timing import EntryKind
from proctoring.exams.models import Exam
from proctoring.outbox.models import Delivery, Operation

from .conftest import make_delivery, make_review, told

LEDGER = {
    f"time_entries-{name}": value
    for name, value in {"TOTAL_FORMS": 0, "INITIAL_FORMS": 0, "MIN_NUM_FORMS": 0, "MAX_NUM_FORMS": 0}.items()
}
LIST = "admin:proctoring_attempt_changelist"


def address(attempt: Attempt) -> str:
    return reverse("admin:proctoring_attempt_change", args=(attempt.pk,))


def change(client: Client, attempt: Attempt, status: str, reason: str = "a reason", **fields: Any) -> Any:
    data = {**LEDGER, "initial-status": attempt.status, "status": status, "reason": reason, **fields}
    return client.post(address(attempt), data)


def errors(response: Any) -> str:
    return str(response.context["adminform"].form.errors)


def test_legal_status_goes_through_the_service(boss_client: Client, boss: User, attempt: Attempt) -> None:
    before = attempt.history.count()
    assert change(boss_client, attempt, "paused", "fire alarm").status_code == 302
    attempt.refresh_from_db()
    assert attempt.status == Status.PAUSED
    assert attempt.expires_at is None
    assert attempt.paused_at is not None
    assert attempt.history.count() == before + 1
    newest = attempt.history.first()
    assert (newest.history_user, newest.history_change_reason) == (boss, "fire alarm")


def test_end_of_a_pause_is_written_into_the_ledger(
    boss_client: Client, boss: User, make_attempt: Callable[..., Attempt]
) -> None:
    attempt = make_attempt("paused")
    Attempt.objects.filter(pk=attempt.pk).update(paused_at=timezone.now() - timedelta(minutes=5))
    assert change(boss_client, attempt, "started", "quiet again").status_code == 302
    entry = attempt.time_entries.get(kind=EntryKind.PAUSE)
    assert 300 <= entry.seconds <= 310
    assert (entry.by, entry.note) == (boss, "quiet again")
    attempt.refresh_from_db()
    assert attempt.expires_at is not None


def test_vendor_is_promised_what_it_must_hear(
    boss_client: Client, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proctoring.backends.null.NullBackend.registers_attempts", True)
    assert change(boss_client, attempt, "terminated", "was not alone").status_code == 302
    assert Delivery.objects.filter(operation=Operation.REPORT_SUBMITTED, target_id=attempt.pk).count() == 1


@pytest.mark.parametrize("status", ["verified", "rejected", "created", "timed_out", "declined", "onboarding_missing"])
def test_illegal_status_is_refused_in_words_and_nothing_changes(
    boss_client: Client, attempt: Attempt, status: str
) -> None:
    before = Attempt.objects.filter(pk=attempt.pk).values().get(), attempt.history.count(), Delivery.objects.count()
    response = change(boss_client, attempt, status)
    assert response.status_code == 200
    assert "cannot become" in errors(response)
    after = Attempt.objects.filter(pk=attempt.pk).values().get(), attempt.history.count(), Delivery.objects.count()
    assert after == before


def test_word_that_is_no_status_is_refused(boss_client: Client, attempt: Attempt) -> None:
    assert "not one of the available choices" in errors(change(boss_client, attempt, "graduated"))


def test_status_needs_a_reason(boss_client: Client, attempt: Attempt) -> None:
    response = change(boss_client, attempt, "paused", "  ")
    assert "Say why." in errors(response)
    attempt.refresh_from_db()
    assert attempt.status == Status.STARTED


def test_reason_alone_is_not_swallowed(boss_client: Client, attempt: Attempt) -> None:
    assert "a reason alone is not kept" in errors(change(boss_client, attempt, "started", "by the way"))


def test_saving_without_a_change_writes_nothing(boss_client: Client, attempt: Attempt) -> None:
    before = attempt.history.count()
    assert change(boss_client, attempt, "started", "").status_code == 302
    assert attempt.history.count() == before


def test_page_that_was_overtaken_changes_nothing(
    boss_client: Client, attempt: Attempt, make_attempt: Callable[..., Attempt]
) -> None:
    paused = make_attempt("paused")
    response = change(boss_client, paused, "terminated", **{"initial-status": "started"})
    assert "Meanwhile" in errors(response)
    paused.refresh_from_db()
    assert paused.status == Status.PAUSED
    assert change(boss_client, paused, "started", "", **{"initial-status": "started"}).status_code == 302
    paused.refresh_from_db()
    assert paused.status == Status.PAUSED


def test_other_fields_in_the_post_are_ignored(boss_client: Client, attempt: Attempt) -> None:
    forged = {"expires_at_0": "2099-01-01", "expires_at_1": "00:00", "number": 7, "external_id": "x", "code": "known"}
    before = Attempt.objects.filter(pk=attempt.pk).values().get()
    assert change(boss_client, attempt, "started", "", **forged).status_code == 302
    assert Attempt.objects.filter(pk=attempt.pk).values().get() == before


def test_ledger_is_shown_and_not_written(boss_client: Client, attempt: Attempt) -> None:
    assert "Base time" in boss_client.get(address(attempt)).content.decode()
    entry = attempt.time_entries.get()
    forged = {
        "time_entries-TOTAL_FORMS": 2,
        "time_entries-INITIAL_FORMS": 1,
        "time_entries-0-id": entry.pk,
        "time_entries-0-attempt": attempt.pk,
        "time_entries-0-seconds": 99_999,
        "time_entries-0-DELETE": "on",
        "time_entries-1-attempt": attempt.pk,
        "time_entries-1-kind": "extra_time",
        "time_entries-1-seconds": 600,
    }
    change(boss_client, attempt, "started", "", **forged)
    assert attempt.time_entries.get().seconds == 3600


def test_staff_cannot_forge_a_verdict_and_a_reviewer_decides(
    as_person: Callable[..., Client], make_attempt: Callable[..., Attempt]
) -> None:
    attempt = make_attempt("submitted")
    response = change(as_person("staff-of-algebra"), attempt, "verified", "looks fine to me")
    assert "cannot become" in errors(response)
    assert change(as_person("reviewer-of-algebra"), attempt, "verified", "watched it").status_code == 302
    attempt.refresh_from_db()
    assert attempt.status == Status.VERIFIED
    assert attempt.history.first().history_user.get_username() == "reviewer-of-algebra"


def test_invigilator_pauses_and_does_not_submit(as_person: Callable[..., Client], attempt: Attempt) -> None:
    invigilator = as_person("invigilator-of-algebra")
    assert "cannot become" in errors(change(invigilator, attempt, "submitted"))
    assert change(invigilator, attempt, "paused").status_code == 302


def test_attempt_that_is_overdue_is_shown_as_ended(boss_client: Client, attempt: Attempt) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    assert boss_client.get(reverse(LIST), {"status": "started"}).context["cl"].result_count == 0
    shown = boss_client.get(reverse(LIST), {"status": "submitted"})
    assert shown.context["cl"].result_count == 1
    assert "Submitted</td>" in shown.content.decode()
    response = change(boss_client, attempt, "paused")
    assert response.status_code == 200
    attempt.refresh_from_db()
    assert attempt.status == Status.STARTED


def test_page_shows_calls_reviews_and_the_chain(boss_client: Client, make_attempt: Callable[..., Attempt]) -> None:
    attempt = make_attempt("submitted")
    delivery, review = make_delivery(attempt, "failed"), make_review(attempt)
    boss_client.post(reverse(LIST), retry("reset_attempt", attempt))
    content = boss_client.get(address(attempt)).content.decode()
    assert reverse("admin:proctoring_delivery_change", args=(delivery.pk,)) in content
    assert reverse("admin:proctoring_review_change", args=(review.pk,)) in content
    assert "#1: Voided" in content


def test_links_are_for_those_who_may_follow_them(as_person: Callable[..., Client], attempt: Attempt) -> None:
    delivery = make_delivery(attempt, "failed")
    content = as_person("reviewer-of-algebra").get(address(attempt)).content.decode()
    assert "Refused by the receiver" in content
    assert reverse("admin:proctoring_delivery_change", args=(delivery.pk,)) not in content
    assert reverse("admin:proctoring_exam_change", args=(attempt.exam_id,)) not in content


def test_page_costs_the_same_with_much_on_it(boss_client: Client, boss: User, attempt: Attempt) -> None:
    def fill(count: int) -> None:
        for _ in range(count):
            entry = ledger.post(attempt, EntryKind.EXTRA_TIME, 60, at=timezone.now(), by=boss)
            ledger.reverse(attempt, entry, at=timezone.now(), by=boss, reason_code=None, note="")
            make_delivery(attempt)
            make_review(attempt)

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert boss_client.get(address(attempt)).status_code == 200
        return len(queries)

    fill(3)
    cost()
    before = cost()
    fill(30)
    assert cost() == before


def retry(action: str, *attempts: Attempt, reason: str = "power cut", **fields: Any) -> dict[str, Any]:
    return {
        "action": action,
        ACTION_CHECKBOX_NAME: [one.pk for one in attempts],
        "confirmed": "yes",
        "reason": reason,
        **fields,
    }


@pytest.mark.parametrize("action", ["authorize_resume", "reset_attempt"])
def test_retry_asks_for_its_reason_first(
    boss_client: Client, make_attempt: Callable[..., Attempt], action: str
) -> None:
    attempts = [make_attempt("submitted"), make_attempt("submitted")]
    first = {"action": action, ACTION_CHECKBOX_NAME: [one.pk for one in attempts], "index": 0}
    page = boss_client.post(reverse(LIST), first)
    assert page.status_code == 200
    assert all(str(one.user) in page.content.decode() for one in attempts)
    assert 'name="reason"' in page.content.decode()
    again = boss_client.post(reverse(LIST), retry(action, *attempts, reason=" "))
    assert "This field is required." in again.content.decode()
    assert not Attempt.objects.exclude(retry_kind="").exists()


def test_resume_is_authorised_with_its_reason(
    boss_client: Client, boss: User, make_attempt: Callable[..., Attempt]
) -> None:
    attempt = make_attempt("submitted")
    response = boss_client.post(reverse(LIST), retry("authorize_resume", attempt), follow=True)
    assert told(response) == [f"“{attempt.user}, Final #1”: a resume is authorised."]
    attempt.refresh_from_db()
    assert (attempt.retry_kind, attempt.retry_granted_by) == (RetryKind.RESUME, boss)
    assert attempt.history.first().history_change_reason == "resume authorised: power cut"


def test_each_item_of_a_retry_has_its_own_result(boss_client: Client, make_attempt: Callable[..., Attempt]) -> None:
    possible, impossible = make_attempt("submitted"), make_attempt("started")
    response = boss_client.post(reverse(LIST), retry("authorize_resume", possible, impossible), follow=True)
    assert sorted(told(response)) == sorted(
        [
            f"“{possible.user}, Final #1”: a resume is authorised.",
            f"“{impossible.user}, Final #1”: This attempt cannot be resumed.",
        ]
    )
    impossible.refresh_from_db()
    assert impossible.retry_kind == ""


def test_reset_voids_and_grants_a_fresh_attempt(boss_client: Client, attempt: Attempt) -> None:
    response = boss_client.post(reverse(LIST), retry("reset_attempt", attempt, from_page="yes"))
    assert response["Location"] == address(attempt)
    attempt.refresh_from_db()
    assert (attempt.status, attempt.retry_kind) == (Status.VOIDED, RetryKind.FRESH)
    assert attempt.history.first().history_change_reason == "reset: power cut"


def test_pages_button_leads_to_the_question_and_changes_nothing(
    boss_client: Client, make_attempt: Callable[..., Attempt]
) -> None:
    attempt = make_attempt("submitted")
    before = attempt.history.count()
    for action in ("authorize_resume", "reset_attempt"):
        link = reverse("admin:proctoring_attempt_retry", args=(attempt.pk, action))
        assert link in boss_client.get(address(attempt)).content.decode()
        question = boss_client.get(link).content.decode()
        assert f'action="{reverse(LIST)}"' in question
        assert "csrfmiddlewaretoken" in question
    assert attempt.history.count() == before
    assert boss_client.get(reverse("admin:proctoring_attempt_retry", args=(attempt.pk, "erase"))).status_code == 404


def test_retry_is_not_offered_where_it_is_impossible(boss_client: Client, attempt: Attempt) -> None:
    assert "Authorise a resume" not in boss_client.get(address(attempt)).content.decode()
    boss_client.post(reverse(LIST), retry("reset_attempt", attempt))
    assert "/retry/" not in boss_client.get(address(attempt)).content.decode()


def test_retry_without_the_token_is_refused(boss: User, attempt: Attempt) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(boss)
    assert strict.post(reverse(LIST), retry("reset_attempt", attempt)).status_code == 403
    attempt.refresh_from_db()
    assert attempt.status == Status.STARTED


@pytest.mark.parametrize("role", ["invigilator", "reviewer"])
def test_retry_is_for_course_staff(as_person: Callable[..., Client], attempt: Attempt, role: str) -> None:
    person = as_person(f"{role}-of-algebra")
    person.post(reverse(LIST), retry("reset_attempt", attempt))
    assert person.get(reverse("admin:proctoring_attempt_retry", args=(attempt.pk, "reset_attempt"))).status_code == 403
    assert "/retry/" not in person.get(address(attempt)).content.decode()
    attempt.refresh_from_db()
    assert attempt.status == Status.STARTED


def test_retry_does_not_reach_another_course(as_person: Callable[..., Client], attempt: Attempt) -> None:
    stranger = as_person("staff-of-botany")
    stranger.post(reverse(LIST), retry("reset_attempt", attempt))
    assert (
        stranger.get(reverse("admin:proctoring_attempt_retry", args=(attempt.pk, "reset_attempt"))).status_code == 404
    )
    attempt.refresh_from_db()
    assert attempt.status == Status.STARTED


def test_too_many_at_once_are_refused(
    boss_client: Client, make_attempt: Callable[..., Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proctoring.admin.base.AT_ONCE", 1)
    attempts = [make_attempt(), make_attempt()]
    response = boss_client.post(reverse(LIST), retry("reset_attempt", *attempts), follow=True)
    assert told(response) == ["Choose at most 1 row at once."]
    assert Attempt.objects.filter(status=Status.STARTED).count() == 2


def test_search_finds_a_candidate_by_the_beginning(boss_client: Client, make_attempt: Callable[..., Attempt]) -> None:
    attempt = make_attempt()
    make_attempt()
    found = boss_client.get(reverse(LIST), {"q": str(attempt.user)}).context["cl"]
    assert [row.pk for row in found.result_list] == [attempt.pk]


def test_exam_links_to_its_attempts(
    boss_client: Client, make_exam: Callable[..., Exam], make_attempt: Callable[..., Attempt]
) -> None:
    one, other = make_exam(), make_exam()
    make_attempt(exam=one)
    make_attempt(exam=other)
    link = f"{reverse(LIST)}?exam__id__exact={one.pk}"
    assert link in boss_client.get(reverse("admin:proctoring_exam_changelist")).content.decode()
    assert boss_client.get(link).context["cl"].result_count == 1


def test_submitting_an_attempt_in_error_keeps_when_it_was_handed_in(
    boss_client: Client, make_attempt: Callable[..., Attempt]
) -> None:
    attempt = make_attempt("submitted")
    handed_in = timezone.now() - timedelta(days=1)
    Attempt.objects.filter(pk=attempt.pk).update(
        status=Status.ERROR, submitted_at=handed_in, ended_at=handed_in, expires_at=handed_in
    )
    attempt.refresh_from_db()
    assert change(boss_client, attempt, "submitted", "the vendor's mistake").status_code == 302
    attempt.refresh_from_db()
    assert attempt.status == Status.SUBMITTED
    assert attempt.submitted_at == handed_in
