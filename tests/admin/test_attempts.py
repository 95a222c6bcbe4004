"""An attempt's page and the list: everything is shown, nothing is edited."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from proctoring.allowances.models import Allowance
from proctoring.attempts import ledger, services
from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.states import OPEN, Actor, Status
from proctoring.attempts.timing import EntryKind
from proctoring.exams.models import Exam
from proctoring.outbox.models import DeliveryStatus
from proctoring.reviews.models import Rating, ReviewComment
from tests.factories import AttemptFactory, ExamFactory

from .conftest import (
    HOSTILE,
    LIST,
    NOISE,
    address,
    everything,
    make_delivery,
    make_review,
    take,
)

# The page


def test_nothing_can_be_edited_on_the_page(boss_client: Client, attempt: Attempt) -> None:
    before = everything(attempt)
    page = boss_client.get(address(attempt)).content.decode()
    assert 'name="status"' not in page
    assert 'name="_save"' not in page
    forged = {"status": "verified", "initial-status": "started", "reason": "x", "number": 7, "time_entries-0-DELETE": 1}
    assert boss_client.post(address(attempt), forged).status_code == 403
    assert everything(attempt) == before


def test_top_of_the_page_says_how_much_time_is_left(boss_client: Client, attempt: Attempt) -> None:
    facts = dict(boss_client.get(address(attempt)).context["summary"])
    assert facts["Status now"] == "Running"
    assert facts["Time left"].startswith("59 min")
    assert "Deadline" in facts


def test_top_of_the_page_of_an_overdue_attempt_says_that_it_has_ended(boss_client: Client, attempt: Attempt) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    response = boss_client.get(address(attempt))
    facts = dict(response.context["summary"])
    assert facts["Status now"] == "Submitted"
    assert "Ended" in facts
    assert "Time left" not in facts
    assert "the sweep has yet to write that down" in response.content.decode()


def test_top_of_the_page_of_a_pause_says_since_when(boss_client: Client, make_attempt: Callable[..., Attempt]) -> None:
    facts = dict(boss_client.get(address(make_attempt("paused"))).context["summary"])
    assert facts["Status now"] == "Paused"
    assert "Paused since" in facts


def shown(response: Any, name: str) -> list[list[str]]:
    table = next(table for table in response.context["tables"] if table.name == name)
    return [[str(cell) for cell in row] for row in table.rows]


def test_history_is_told_in_words_the_newest_first(boss_client: Client, boss: User, attempt: Attempt) -> None:
    services.pause_attempt(attempt, by=boss, actor=Actor.STAFF, reason="fire alarm")
    told_rows = [row[1:] for row in shown(boss_client.get(address(attempt)), "history")]
    assert told_rows[0] == ["Running → Paused", "boss", "fire alarm"]
    assert told_rows[1][0] == "Created → Running"
    assert told_rows[-1][0] == "Created"


def test_ledger_says_who_gave_time_and_why(boss_client: Client, boss: User, attempt: Attempt) -> None:
    services.extend_time(attempt, minutes=10, by=boss, reason_code=NOISE, note="drilling")
    newest, first = shown(boss_client.get(address(attempt)), "ledger")
    assert newest[1:] == ["Extra time", "10 min 00 s", "Applied", "boss", "Room: noise: drilling"]
    assert first[1:5] == ["Base time", "60 min 00 s", "Applied", "the system"]


def test_reviews_are_shown_with_their_comments(boss_client: Client, make_attempt: Callable[..., Attempt]) -> None:
    review = make_review(make_attempt("submitted"))
    ReviewComment.objects.create(review=review, start_seconds=35, stop_seconds=70, text=HOSTILE, severity="high")
    response = boss_client.get(address(review.attempt))
    (row,) = shown(response, "reviews")
    assert "0:35–1:10" in row[-1]
    assert "(high)" in row[-1]
    assert "<script>alert" not in response.content.decode()


def test_ratings_are_shown_with_what_the_vendor_gave(boss_client: Client, attempt: Attempt) -> None:
    now = timezone.now()
    given = {"raw_value": "81", "raw_scale": "0-100", "risk": "0.81", "mapping_version": "1", "source": "poll"}
    Rating.objects.create(attempt=attempt, exam=attempt.exam, rated_at=now, fetched_at=now, **given)
    (row,) = shown(boss_client.get(address(attempt)), "ratings")
    assert row[1:] == ["81%", "81 (0-100)", "Asked", "yes"]


def test_the_exams_own_allowance_is_shown_and_not_the_courses_beside_it(boss_client: Client, attempt: Attempt) -> None:
    given = {"user": attempt.user, "course_id": "algebra", "kind": "extra_minutes"}
    Allowance.objects.create(**given, minutes=5)
    Allowance.objects.create(**given, minutes=20, exam=attempt.exam, exam_slot=attempt.exam_id, note="broken arm")
    Allowance.objects.create(**{**given, "course_id": "botany"}, minutes=99)
    (row,) = shown(boss_client.get(address(attempt)), "allowances")
    assert row[1:] == ["+20 min", "this exam", "the system", "broken arm"]


def test_why_an_allowance_was_granted_is_for_staff(as_person: Callable[..., Client], attempt: Attempt) -> None:
    Allowance.objects.create(
        user=attempt.user, course_id="algebra", kind="extra_minutes", minutes=5, note="a long illness"
    )
    assert "a long illness" in as_person("staff-of-algebra").get(address(attempt)).content.decode()
    page = as_person("invigilator-of-algebra").get(address(attempt)).content.decode()
    assert "+5 min" in page
    assert "a long illness" not in page


def test_chain_says_how_much_was_carried_over(
    boss_client: Client, boss: User, make_attempt: Callable[..., Attempt]
) -> None:
    first = make_attempt("submitted")
    assert take(boss_client, first, "authorize_resume").status_code == 302
    second = AttemptFactory(exam=first.exam, user=first.user, number=2, status=Status.STARTED, resumed_from=first)
    TimeEntry.objects.create(attempt=second, kind=EntryKind.CARRIED_OVER, seconds=905, at=timezone.now())
    newest, oldest = shown(boss_client.get(address(first)), "chain")
    assert "15 min 05 s carried over from #1" in newest[4]
    assert oldest[1] == "Submitted"
    assert oldest[5].startswith("Resume, by boss")


def test_deliveries_are_linked_for_those_who_may_follow(as_person: Callable[..., Client], attempt: Attempt) -> None:
    delivery = make_delivery(attempt, DeliveryStatus.FAILED)
    link = reverse("admin:proctoring_delivery_change", args=(delivery.pk,))
    page = as_person("reviewer-of-algebra").get(address(attempt)).content.decode()
    assert "Refused by the receiver" in page
    assert link not in page
    assert reverse("admin:proctoring_exam_change", args=(attempt.exam_id,)) not in page


@pytest.mark.long
def test_page_costs_the_same_with_much_on_it(boss_client: Client, boss: User, attempt: Attempt) -> None:
    def fill(count: int) -> None:
        for _ in range(count):
            entry = ledger.post(attempt, EntryKind.EXTRA_TIME, 60, at=timezone.now(), by=boss)
            ledger.reverse(attempt, entry, at=timezone.now(), by=boss, reason_code=None, note="")
            make_delivery(attempt)
            ReviewComment.objects.create(review=make_review(attempt), text="looked away")
            attempt.save()

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert boss_client.get(address(attempt)).status_code == 200
        return len(queries)

    fill(3)
    # The first look at a kind of row costs a statement more, in a whole process.
    cost()
    before = cost()
    fill(120)
    assert cost() == before
    assert before <= 14
    assert "Only the newest 100 are shown." in boss_client.get(address(attempt)).content.decode()


@pytest.mark.parametrize("status", Status.values)
def test_page_of_every_status_shows_no_garbage(boss_client: Client, exam: Exam, status: str) -> None:
    attempt = AttemptFactory(exam=exam, status=status)
    page = boss_client.get(address(attempt)).content.decode()
    assert not any(f">{word}<" in page for word in ("-", "None", "null"))
    listed = boss_client.get(reverse(LIST)).content.decode()
    assert not any(f">{word}<" in listed for word in ("-", "None", "null"))


def resumed(exam: Exam, *statuses: str) -> list[Attempt]:
    """A person's attempts, each of which goes on with the one before it."""
    rows: list[Attempt] = []
    for number, status in enumerate(statuses, start=1):
        before = rows[-1] if rows else None
        person = {"user": before.user} if before else {}
        rows.append(AttemptFactory(exam=exam, number=number, status=status, resumed_from=before, **person))
    return rows


def notes(response: Any) -> str:
    return " ".join(str(note) for table in response.context["tables"] if table.name == "chain" for note in table.notes)


def test_chain_says_which_part_still_needs_a_verdict(boss_client: Client, exam: Exam) -> None:
    first, second = resumed(exam, "error", "verified")
    for part in (first, second):
        assert notes(boss_client.get(address(part))).endswith("Still without one: #1.")
    make_review(first, status="passed")
    assert notes(boss_client.get(address(second))) == ""


def test_chain_of_one_attempt_or_of_a_resume_that_is_not_used_names_nothing(boss_client: Client, exam: Exam) -> None:
    for statuses in (["submitted"], ["verified", "error"]):
        assert notes(boss_client.get(address(resumed(exam, *statuses)[-1]))) == ""


# The list


def test_attempt_that_is_overdue_is_listed_as_ended(boss_client: Client, attempt: Attempt) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    assert boss_client.get(reverse(LIST), {"status": "started"}).context["cl"].result_count == 0
    listed = boss_client.get(reverse(LIST), {"status": "submitted"})
    assert listed.context["cl"].result_count == 1
    assert "Submitted</td>" in listed.content.decode()


@pytest.mark.parametrize(
    ("waits_for", "statuses"),
    [
        ("running", {"started", "paused", "ready_to_submit"}),
        ("verdict", {"submitted", "timed_out"}),
        ("second_review", {"second_review_required"}),
        ("resume", {"error"}),
        ("onboarding", {"onboarding_missing", "onboarding_pending", "onboarding_failed", "onboarding_expired"}),
    ],
)
def test_list_is_filtered_by_what_attempts_wait_for(
    boss_client: Client, exam: Exam, waits_for: str, statuses: set[str]
) -> None:
    for status in Status.values:
        AttemptFactory(exam=exam, status=status)
        AttemptFactory(exam=ExamFactory(exam_type="practice"), status=status)
    Attempt.objects.filter(status__in=OPEN).update(expires_at=timezone.now() + timedelta(hours=1))
    found = boss_client.get(reverse(LIST), {"waits_for": waits_for, "exam__id__exact": exam.pk}).context["cl"]
    assert {row.status for row in found.result_list} == statuses


def test_error_that_was_resumed_waits_for_a_verdict_until_the_vendor_passed_it(boss_client: Client, exam: Exam) -> None:
    def waiting() -> set[int]:
        found = boss_client.get(reverse(LIST), {"waits_for": "verdict", "status": "error"}).context["cl"]
        return {row.pk for row in found.result_list}

    broken, _ = resumed(exam, "error", "verified")
    resumed(exam, "error")
    never_begun, _ = resumed(exam, "error", "verified")
    Attempt.objects.filter(pk=never_begun.pk).update(started_at=None)
    assert waiting() == {broken.pk}
    make_review(broken, status="passed", source="staff", applied_at=None)
    passed = make_review(broken, status="passed", applied_at=None)
    assert waiting() == set()
    passed.occurred_at -= timedelta(days=1)
    passed.save()
    make_review(broken, status="violation", applied_at=None)
    assert waiting() == {broken.pk}


def test_list_says_what_became_of_retries_and_verdicts(
    boss_client: Client, make_attempt: Callable[..., Attempt]
) -> None:
    attempt = make_attempt("submitted")
    make_review(attempt)
    take(boss_client, attempt, "authorize_resume")
    page = boss_client.get(reverse(LIST)).content.decode()
    assert "resume granted</td>" in page
    assert "Suspicious</td>" in page


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


@pytest.mark.parametrize("value", ["x", "1'", "99999999999999999999999", "\x00"])
def test_nonsense_in_a_filter_is_no_error(boss_client: Client, attempt: Attempt, value: str) -> None:
    for name in ("exam__id__exact", "course", "status", "waits_for", "backend"):
        assert boss_client.get(reverse(LIST), {name: value}).status_code in (200, 302, 400)
