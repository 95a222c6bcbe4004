"""Reviews in the admin: what their page shows, the way to a recording, and the report among the exams' actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from proctoring.inbox import sealing
from proctoring.reviews.models import Review, ReviewComment, VideoView

from .conftest import HOSTILE, make_review, told

VIDEO = "https://vendor.example/v/1?token=secret"


@pytest.fixture
def attempt(make_attempt: Callable[..., Attempt]) -> Attempt:
    return make_attempt("submitted")


@pytest.fixture
def review(attempt: Attempt) -> Review:
    sealed = sealing.seal(VIDEO.encode(), context=f"video of attempt {attempt.pk}")
    author = get_user_model().objects.create_user("rita")
    review = make_review(attempt, sealed_video_url=sealed, author=author, note="Seen the video")
    ReviewComment.objects.create(review=review, text=HOSTILE, severity="odd", start_seconds=3671, stop_seconds=3675)
    return review


def page(client: Client, review: Review) -> str:
    answer = client.get(reverse("admin:proctoring_review_change", args=(review.pk,)))
    assert answer.status_code == 200
    return answer.content.decode()


def video(review: Review) -> str:
    return reverse("admin:proctoring_review_video", args=(review.pk,))


def test_page_shows_author_reason_comments_and_versions(boss_client: Client, review: Review) -> None:
    older = make_review(
        review.attempt, status="passed", applied_at=None, not_applied_reason="older_than_applied", message=None
    )
    content = page(boss_client, review)
    assert "rita" in content
    assert "Seen the video" in content
    assert "1:01:11–1:01:15 · odd · &lt;script&gt;" in content
    assert reverse("admin:proctoring_review_change", args=(older.pk,)) in content
    assert "vendor.example" not in content
    assert "A newer review is there." in page(boss_client, older)


def test_a_reason_that_is_not_known_any_more_is_shown_as_it_is(boss_client: Client, attempt: Attempt) -> None:
    review = make_review(attempt, applied_at=None, not_applied_reason="moon_phase")
    assert "moon_phase" in page(boss_client, review)


def test_a_reviewer_goes_to_the_recording_and_that_is_written_down(
    as_person: Callable[..., Client], review: Review
) -> None:
    client = as_person("reviewer-of-algebra")
    assert f'href="{video(review)}"' in page(client, review)
    answer = client.get(video(review))
    assert (answer.status_code, answer.headers["Location"]) == (302, VIDEO)
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    view = VideoView.objects.get()
    assert view.by is not None
    assert view.by.get_username() == "reviewer-of-algebra"
    assert "reviewer-of-algebra" in page(client, review).split("Opened by", maxsplit=1)[1]


@pytest.mark.parametrize(
    ("who", "status"), [("staff-of-algebra", 403), ("invigilator-of-algebra", 403), ("reviewer-of-latin", 404)]
)
def test_others_do_not(as_person: Callable[..., Client], review: Review, who: str, status: int) -> None:
    client = as_person(who)
    assert client.get(video(review)).status_code == status
    if status == 403:
        assert video(review) not in page(client, review)
    assert not VideoView.objects.exists()


@pytest.mark.parametrize("role", ["reviewer", "staff", "invigilator"])
def test_nobody_reads_what_is_said_about_their_own_attempt(
    as_person: Callable[..., Client], review: Review, role: str
) -> None:
    client = as_person(f"{role}-of-algebra")
    Attempt.objects.update(user=get_user_model().objects.get(username=f"{role}-of-algebra"))
    Attempt.history.update(history_change_reason="Seen the video")
    assert list(client.get(reverse("admin:proctoring_review_changelist")).context["cl"].result_list) == []
    for name in ("change", "history"):
        answer = client.get(reverse(f"admin:proctoring_review_{name}", args=(review.pk,)))
        assert answer.status_code in (302, 404)
    assert client.get(video(review)).status_code == 404
    attempt = client.get(reverse("admin:proctoring_attempt_change", args=(review.attempt_id,)))
    assert "Ledger of time" in attempt.content.decode()
    for words in ("Seen the video", "script", "rita", reverse("admin:proctoring_review_change", args=(review.pk,))):
        assert words not in attempt.content.decode().partition('id="content-main"')[2].partition("<footer")[0]
    version = Attempt.history.filter(id=review.attempt_id).latest()
    for address in (
        reverse("admin:proctoring_attempt_history", args=(review.attempt_id,)),
        reverse("admin:proctoring_attempt_simple_history", args=(review.attempt_id, version.pk)),
    ):
        assert client.get(address).status_code == 403
    assert not VideoView.objects.exists()


def test_who_answers_for_the_whole_lms_does(boss_client: Client, boss: Any, review: Review) -> None:
    Attempt.objects.update(user=boss)
    assert "Seen the video" in page(boss_client, review)


def test_where_there_is_no_recording_or_no_key_nothing_is_found(
    boss_client: Client, review: Review, attempt: Attempt, settings: Any
) -> None:
    assert boss_client.get(video(make_review(attempt))).status_code == 404
    settings.PROCTORING = {**settings.PROCTORING, "ENCRYPTION_KEYS": ["x" * 32]}
    assert boss_client.get(video(review)).status_code == 404


def set_risk(client: Client, attempt: Attempt, risk: str) -> Any:
    return client.post(reverse("admin:proctoring_attempt_step", args=(attempt.pk, "set_risk")), {"risk": risk})


def test_staff_rate_an_attempt(as_person: Callable[..., Client], attempt: Attempt) -> None:
    staff = as_person("staff-of-algebra")
    assert set_risk(staff, attempt, "0.25").status_code == 302
    assert told(staff.get(reverse("admin:proctoring_attempt_change", args=(attempt.pk,)))) != []
    rating = attempt.ratings.get()
    assert (str(rating.risk), rating.source, rating.is_current) == ("0.2500", "staff", True)
    assert rating.by is not None
    assert rating.by.get_username() == "staff-of-algebra"


@pytest.mark.parametrize("risk", ["", "1.1", "-0.1", "NaN", "high", "0.12345"])
def test_what_is_no_risk_is_said_and_not_kept(boss_client: Client, attempt: Attempt, risk: str) -> None:
    answer = set_risk(boss_client, attempt, risk)
    assert answer.status_code == 200
    assert answer.context["form"].errors["risk"]
    assert not attempt.ratings.exists()


def test_reviewers_and_others_rate_nothing(as_person: Callable[..., Client], attempt: Attempt) -> None:
    assert set_risk(as_person("reviewer-of-algebra"), attempt, "0.5").status_code == 403
    assert set_risk(as_person("staff-of-latin"), attempt, "0.5").status_code == 404
    assert not attempt.ratings.exists()


def report(client: Client, *exams: Exam) -> Any:
    data = {"action": "violation_report", ACTION_CHECKBOX_NAME: [exam.pk for exam in exams]}
    return client.post(reverse("admin:proctoring_exam_changelist"), data)


def test_staff_download_the_report_of_a_course(as_person: Callable[..., Client], review: Review) -> None:
    answer = report(as_person("staff-of-algebra"), review.attempt.exam)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="violations-algebra.csv"'
    content = b"".join(answer.streaming_content).decode()
    assert content.splitlines()[1].startswith("algebra,")


def test_of_one_course_at_a_time(boss_client: Client, exam: Exam, make_exam: Callable[..., Exam]) -> None:
    answer = report(boss_client, exam, make_exam(course_id="latin"))
    assert answer.status_code == 302
    assert "one course" in told(boss_client.get(answer.url))[0]
