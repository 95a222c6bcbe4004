"""Steps of bookings: which are offered to whom, what they do, and that what is refused changes nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from proctoring.admin.booking_steps import BULK, STEPS
from proctoring.bookings.models import Booking, BookingLogEntry
from proctoring.bookings.states import LIVE, TRANSITIONS, Actor, Status
from proctoring.exams.models import Exam
from proctoring.outbox.models import Delivery, Operation
from tests.booking_vendor import live_vendor

from .booking_rows import LIST, address, booked, everything, said, step_address, take, together
from .conftest import errors, offered, told

EXHAUSTED = "booking_rejection_reason_booking_check_exhausted"
CONFLICT = "booking_rejection_reason_conflict"


@pytest.fixture(autouse=True)
def vendor(settings: Any) -> None:
    live_vendor(settings)


# Which steps are offered


@pytest.mark.parametrize("status", Status.values)
@pytest.mark.parametrize("role", ["planner", "service_desk", "staff"])
def test_exactly_the_steps_of_the_table_are_offered(
    as_person: Callable[..., Client], exam: Exam, role: str, status: str
) -> None:
    actor = Actor.SERVICE_DESK if role == "service_desk" else Actor.PLANNER
    booking = booked(exam, status, rejection_reason=CONFLICT if status == "rejected" else "")
    expected = {
        STEP_TO[new]
        for new, codes in TRANSITIONS[Status(status)].items()
        if new in STEP_TO and any(actor in actors for actors in codes.values())
    }
    if status in ("sent", "confirmed"):
        expected.add("check")
    if actor == Actor.PLANNER and status == "draft":
        expected.add("change_draft")
    if actor == Actor.PLANNER and status in LIVE:
        expected.add("change_window")
    assert offered(as_person(f"{role}-of-algebra").get(address(booking))) == expected


STEP_TO = {
    Status.SCHEDULED: "schedule",
    Status.CONFIRMED: "confirm",
    Status.REJECTED: "reject",
    Status.CANCELLED: "cancel",
}


def test_what_the_vendor_may_hold_is_checked_by_the_service_desk_and_not_sent(
    as_person: Callable[..., Client], exam: Exam
) -> None:
    booking = booked(exam, "rejected", rejection_reason=EXHAUSTED, external_id="b-9")
    assert offered(as_person("planner-of-algebra").get(address(booking))) == set()
    desk = as_person("service_desk-of-algebra")
    assert offered(desk.get(address(booking))) == {"check", "confirm"}
    assert "have it checked" in errors(take(desk, booking, "schedule"))
    assert take(desk, booking, "check").status_code == 302
    booking.refresh_from_db()
    assert booking.status == Status.SENT


def test_what_the_vendor_does_not_know_cannot_be_checked(boss_client: Client, exam: Exam) -> None:
    booking = booked(exam, "sent", external_id=None)
    assert "check" not in offered(boss_client.get(address(booking)))
    before = everything(booking)
    assert "holds nothing" in errors(take(boss_client, booking, "check"))
    assert everything(booking) == before


# Taking a step


def test_button_leads_to_a_question_and_changes_nothing(boss_client: Client, exam: Exam) -> None:
    for status in ("draft", "sent"):
        booking = booked(exam, status)
        before = everything(booking)
        for name in offered(boss_client.get(address(booking))):
            question = boss_client.get(step_address(booking, name)).content.decode()
            assert "csrfmiddlewaretoken" in question
            assert str(STEPS[name].explanation) in question.replace("&#x27;", "'")
        assert everything(booking) == before
        assert boss_client.get(step_address(booking, "erase")).status_code == 404


@pytest.mark.parametrize(
    ("status", "step", "after"),
    [
        ("draft", "schedule", Status.SCHEDULED),
        ("draft", "change_draft", Status.DRAFT),
        ("draft", "cancel", Status.CANCELLED),
        ("rejected", "schedule", Status.SCHEDULED),
        ("rejected", "confirm", Status.CONFIRMED),
        ("scheduled", "confirm", Status.CONFIRMED),
        ("sent", "check", Status.SENT),
        ("sent", "reject", Status.REJECTED),
        ("confirmed", "reject", Status.REJECTED),
        ("confirmed", "cancel", Status.CANCELLED),
        ("confirmed", "check", Status.CONFIRMED),
    ],
)
def test_step_does_what_it_says(
    boss_client: Client, boss: User, exam: Exam, status: str, step: str, after: Status
) -> None:
    booking = booked(exam, status, rejection_reason=CONFLICT if status == "rejected" else "")
    fields = said(ratio=8, onboarding_minutes=0, closing_minutes=0)
    response = boss_client.post(step_address(booking, step), fields, follow=True)
    booking.refresh_from_db()
    assert booking.status == after
    assert response.redirect_chain[-1][0] == address(booking)
    (message,) = told(response)
    assert message.startswith("“Final, ")
    assert message.endswith(f": {STEPS[step].done}")
    if after != status:
        newest = booking.history.first()
        assert newest is not None
        assert newest.history_user == boss


def test_comment_and_author_stand_in_the_log(as_person: Callable[..., Client], exam: Exam) -> None:
    booking = booked(exam, "sent")
    assert take(as_person("service_desk-of-algebra"), booking, "confirm").status_code == 302
    entry = booking.log.first()
    assert entry is not None
    assert (entry.code, entry.comment) == ("booking_declared_as_confirmed_manually", "called the vendor")
    assert str(entry.by) == "service_desk-of-algebra"


@pytest.mark.parametrize("step", ["confirm", "reject"])
def test_service_desk_says_why(boss_client: Client, exam: Exam, step: str) -> None:
    booking = booked(exam, "sent")
    before = everything(booking)
    for comment in ("", "  ", "x" * 2001):
        assert "comment" in errors(take(boss_client, booking, step, comment=comment))
    assert everything(booking) == before


def test_vendor_is_told_of_a_cancellation(boss_client: Client, exam: Exam) -> None:
    booking = booked(exam, "confirmed")
    assert take(boss_client, booking, "cancel", comment="").status_code == 302
    assert Delivery.objects.filter(operation=Operation.CANCEL_BOOKING, target_id=booking.pk).count() == 1


def test_draft_that_cannot_be_booked_is_said_to_be_rejected(boss_client: Client, exam: Exam) -> None:
    now = timezone.now()
    booking = booked(exam, starts_at=now + timedelta(minutes=5), ends_at=now + timedelta(hours=1))
    (message,) = told(boss_client.post(step_address(booking, "schedule"), {}, follow=True))
    assert "is “Rejected” now" in message
    assert "too soon" in message


def test_rejected_one_that_still_cannot_be_booked_is_refused(boss_client: Client, exam: Exam) -> None:
    booking = booked(exam, "rejected", rejection_reason=CONFLICT, candidates=0)
    before = everything(booking)
    assert "Nobody in this booking" in errors(take(boss_client, booking, "schedule"))
    assert everything(booking) == before


@pytest.mark.parametrize("step", sorted(STEPS))
def test_step_that_the_status_does_not_allow_is_refused_in_words(boss_client: Client, exam: Exam, step: str) -> None:
    booking = booked(exam, "rejected" if step == "cancel" else "cancelled", rejection_reason=CONFLICT)
    before = everything(booking)
    refusal = errors(take(boss_client, booking, step, ratio=4, onboarding_minutes=1, closing_minutes=1))
    assert any(words in refusal for words in ("not possible", "holds nothing", "Only a draft", "under way"))
    assert "'" not in refusal.replace("&#x27;", "'")
    assert everything(booking) == before


def test_page_that_was_overtaken_changes_nothing(boss_client: Client, exam: Exam) -> None:
    booking = booked(exam, "confirmed")
    before = everything(booking)
    assert "Meanwhile" in errors(take(boss_client, booking, "cancel", seen="draft"))
    assert everything(booking) == before


def test_step_without_the_token_is_refused(boss: User, exam: Exam) -> None:
    strict, booking = Client(enforce_csrf_checks=True), booked(exam, "confirmed")
    strict.force_login(boss)
    assert take(strict, booking, "cancel").status_code == 403
    booking.refresh_from_db()
    assert booking.status == Status.CONFIRMED


# Windows


def test_window_of_a_live_booking_is_changed_in_one_step(boss_client: Client, boss: User, exam: Exam) -> None:
    first = booked(exam, "confirmed", candidates=2)
    second = booked(exam, "sent", plan=first.plan, part=2)
    question = boss_client.get(step_address(first, "change_window"))
    assert f'value="{first.starts_at:%Y-%m-%dT%H:%M}"' in question.content.decode()
    response = boss_client.post(step_address(first, "change_window"), said(), follow=True)
    former = Booking.objects.filter(pk__in=(first.pk, second.pk))
    assert {one.status for one in former} == {Status.CANCELLED}
    new = Booking.objects.get(replaces=first)
    assert (new.status, new.starts_at.hour, new.ratio) == (Status.SCHEDULED, 10, 4)
    assert response.redirect_chain[-1][0] == address(new)
    assert "scheduled in place" in told(response)[0]


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        ({"ends_at": "2031-03-01T09:00"}, "Must be after the window opens."),
        ({"ends_at": "2031-03-02T12:00"}, "Proctors would be needed for"),
        ({"ends_at": "tomorrow"}, "Enter a valid date/time."),
        ({"starts_at": ""}, "This field is required."),
        ({"starts_at": "2020-03-01T10:00", "ends_at": "2020-03-01T12:00"}, "too soon"),
    ],
)
def test_window_that_cannot_be_is_refused_and_nothing_changes(
    boss_client: Client, exam: Exam, window: dict[str, str], sentence: str
) -> None:
    booking = booked(exam, "confirmed")
    before = everything(booking)
    assert sentence in errors(take(boss_client, booking, "change_window", **window))
    assert everything(booking) == before


def test_draft_is_changed_in_its_place(boss_client: Client, exam: Exam) -> None:
    booking = booked(exam)
    numbers = {"ratio": 8, "onboarding_minutes": 20, "closing_minutes": 0}
    assert take(boss_client, booking, "change_draft", **numbers).status_code == 302
    booking.refresh_from_db()
    assert (booking.ratio, booking.onboarding_minutes, booking.closing_minutes) == (8, 20, 0)
    assert "ratio" in errors(take(boss_client, booking, "change_draft", **{**numbers, "ratio": 0}))
    refused = take(boss_client, booking, "change_draft", **{**numbers, "ratio": 5})
    assert list(refused.context["form"].errors) == ["ratio"]


# Who may


@pytest.mark.parametrize("step", sorted(STEPS))
def test_step_is_for_its_own_role(as_person: Callable[..., Client], exam: Exam, step: str) -> None:
    booking = booked(exam, "sent")
    before = everything(booking)
    for actor, role in ((Actor.PLANNER, "planner"), (Actor.SERVICE_DESK, "service_desk")):
        if actor not in STEPS[step].actors:
            assert as_person(f"{role}-of-algebra").get(step_address(booking, step)).status_code == 403
            assert take(as_person(f"{role}-of-algebra"), booking, step).status_code == 403
        stranger = as_person(f"{role}-of-botany")
        assert stranger.get(step_address(booking, step)).status_code == 404
        assert take(stranger, booking, step).status_code == 404
    assert everything(booking) == before


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        ("planner", {"schedule", "check", "cancel"}),
        ("staff", {"schedule", "check", "cancel"}),
        ("service_desk", {"schedule", "check"}),
    ],
)
def test_list_offers_what_the_role_may(
    as_person: Callable[..., Client], exam: Exam, role: str, actions: set[str]
) -> None:
    booking = booked(exam, "sent")
    person = as_person(f"{role}-of-algebra")
    form = person.get(reverse(LIST)).context["action_form"]
    assert {name for name, _ in form.fields["action"].choices if name} == actions
    before = everything(booking)
    for name in {step.name for step in BULK} - actions:
        person.post(reverse(LIST), together(name, booking))
    assert everything(booking) == before


# Several at once


@pytest.mark.parametrize("step", [step.name for step in BULK])
def test_list_asks_first(boss_client: Client, exam: Exam, step: str) -> None:
    bookings = [booked(exam), booked(exam)]
    before = everything(bookings[0])
    first = {"action": step, ACTION_CHECKBOX_NAME: [one.pk for one in bookings], "index": 0}
    page = boss_client.post(reverse(LIST), first)
    assert page.status_code == 200
    assert str(STEPS[step].explanation) in page.content.decode()
    assert everything(bookings[0]) == before


def test_each_booking_of_the_list_has_its_own_result(boss_client: Client, exam: Exam) -> None:
    now = timezone.now()
    good, live, empty = booked(exam), booked(exam, "confirmed"), booked(exam, candidates=0)
    unsafe = booked(exam, "rejected", rejection_reason=EXHAUSTED, ends_at=now + timedelta(days=1, hours=5))
    chosen = together("schedule", good, live, empty, unsafe)
    messages = told(boss_client.post(reverse(LIST), chosen, follow=True))
    assert len(messages) == 4
    text = " ".join(messages)
    assert "scheduled: it will be sent." in text
    assert "“Schedule” is not possible: the booking is “Confirmed”." in text
    assert "is “Rejected” now. Nobody in this booking" in text
    assert "have it checked" in text
    assert Booking.objects.filter(status=Status.SCHEDULED).get() == good


def test_several_are_cancelled_with_one_remark(boss_client: Client, exam: Exam) -> None:
    bookings = [booked(exam, "confirmed"), booked(exam, "draft")]
    boss_client.post(reverse(LIST), together("cancel", *bookings, comment="strike"))
    assert {one.status for one in Booking.objects.all()} == {Status.CANCELLED}
    assert {one.comment for one in BookingLogEntry.objects.all()} == {"strike"}


def test_a_hundred_are_the_most_at_once(boss_client: Client, exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctoring.admin.base.AT_ONCE", 1)
    bookings = [booked(exam), booked(exam)]
    response = boss_client.post(reverse(LIST), together("schedule", *bookings), follow=True)
    assert told(response) == ["Choose at most 1 row at once."]
    assert not Booking.objects.exclude(status=Status.DRAFT).exists()
