"""What is stored as codes and names of classes is read in words, and the vendor's acts are told from the system's."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from proctoring.admin.words import carried_by, failure_in_words, reason_in_words
from proctoring.attempts import services
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Actor, Status
from proctoring.exams.models import Exam
from proctoring.outbox.models import Delivery, Operation
from proctoring.reviews.verdicts import decide
from tests.factories import AttemptFactory

from .conftest import NOISE, address, make_circuit, make_delivery, take

DELIVERIES = "admin:proctoring_delivery_changelist"


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("40030: fire alarm", "Technology: network: fire alarm"),
        ("resume authorised: 40030: fire alarm", "resume authorised: Technology: network: fire alarm"),
        ("reset: 10030", "reset: Room: noise"),
        ("extra_time +600 s: drilling", "Extra time, 10 min 00 s: drilling"),
        ("12345: nobody's code", "12345: nobody's code"),
        ("room 40030: quiet", "room 40030: quiet"),
        ("seat 12 +600 s: hm", "seat 12 +600 s: hm"),
        ("", ""),
        (None, ""),
    ],
)
def test_reason_names_the_cause(stored: str | None, read: str) -> None:
    assert reason_in_words(stored) == read


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("BackendError: the vendor did not answer", "The vendor did not answer"),
        ("BackendRejected: The vendor refused: no seat", "The vendor refused: no seat"),
        ("HostFailed: KeyError, see the log", "The LMS failed: KeyError, see the log"),
        ("MailFailed: the address was refused", "The mail did not leave: the address was refused"),
        ("Vendor: no seat", "Vendor: no seat"),
        ("BackendError: ", "BackendError: "),
        ("", ""),
    ],
)
def test_failure_is_told_without_its_class(stored: str, read: str) -> None:
    assert failure_in_words(stored) == read


@pytest.mark.parametrize(
    ("operation", "argument", "read"),
    [
        (Operation.SEND_MAIL, "second_review", "needs a second review"),
        (Operation.SET_CREDIT, "satisfied", "satisfied"),
        (Operation.NOTIFY_SUPPORT, "not_reviewed", "Not reviewed"),
        (Operation.RESET_LEARNER_STATE, "2", "of attempt #2"),
        (Operation.SEND_MAIL, "from_the_future", "from_the_future"),
        (Operation.REPORT_STARTED, "", ""),
    ],
)
def test_delivery_says_in_words_what_it_carries(operation: str, argument: str, read: str) -> None:
    assert carried_by(Delivery(operation=operation, argument=argument)) == read


# On the pages


def happened(client: Client, attempt: Attempt) -> list[list[str]]:
    tables = client.get(address(attempt)).context["tables"]
    rows = next(table.rows for table in tables if table.name == "history")
    return [[str(cell) for cell in row[1:]] for row in rows]


def looked_back(client: Client, attempt: Attempt) -> str:
    return client.get(reverse("admin:proctoring_attempt_history", args=(attempt.pk,))).content.decode()


def test_causes_are_named_on_the_page_and_in_the_history(boss_client: Client, attempt: Attempt) -> None:
    take(boss_client, attempt, "pause")
    assert happened(boss_client, attempt)[0] == ["Running → Paused", "boss", "Room: noise: fire alarm"]
    for page in (looked_back(boss_client, attempt), version(boss_client, attempt)):
        assert "Room: noise: fire alarm" in page
        assert str(NOISE) not in page


def version(client: Client, attempt: Attempt) -> str:
    newest = attempt.history.first().pk
    return client.get(reverse("admin:proctoring_attempt_simple_history", args=(attempt.pk, newest))).content.decode()


def test_vendor_is_named_where_it_acted(boss_client: Client, exam: Exam) -> None:
    attempt, now = AttemptFactory(exam=exam, backend="sharp-eyes"), timezone.now()
    services.mark_ready(attempt, by=None, actor=Actor.VENDOR, now=now)
    assert happened(boss_client, attempt)[0][:2] == ["Created → Ready to start", "the vendor (sharp-eyes)"]
    ended = AttemptFactory(exam=exam, backend="sharp-eyes", status=Status.SUBMITTED)
    decide(ended, Status.VERIFIED, actor=Actor.VENDOR, by=None, reason="review: passed", now=now)
    assert happened(boss_client, ended)[0][1] == "the vendor (sharp-eyes)"
    for page in (looked_back(boss_client, ended), version(boss_client, ended)):
        assert "the vendor (sharp-eyes)" in page


def test_what_the_clock_did_is_the_systems(boss_client: Client, attempt: Attempt) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(expires_at=timezone.now())
    services.submit_attempt(attempt, by=attempt.user)
    assert happened(boss_client, attempt)[0] == ["Running → Submitted", "the system", "deadline passed"]


def test_where_the_status_stays_the_reason_is_what_happened(boss_client: Client, boss: User, attempt: Attempt) -> None:
    services.extend_time(attempt, minutes=10, by=boss, reason_code=NOISE, note="drilling")
    assert happened(boss_client, attempt)[0] == ["Extra time, 10 min 00 s: drilling", "boss", ""]


def test_no_page_of_deliveries_names_classes_codes_or_bare_ids(boss_client: Client, attempt: Attempt) -> None:
    error = "BackendError: nobody answers"
    delivery = make_delivery(attempt)
    Delivery.objects.filter(pk=delivery.pk).update(
        last_error=error, operation=Operation.SEND_MAIL, argument="second_review"
    )
    circuit = make_circuit(last_error=error)
    pages = [
        "/admin/proctoring/",
        address(attempt),
        reverse(DELIVERIES),
        reverse("admin:proctoring_delivery_change", args=(delivery.pk,)),
        reverse("admin:proctoring_circuit_changelist"),
        reverse("admin:proctoring_circuit_change", args=(circuit.pk,)),
    ]
    for page in pages:
        text = boss_client.get(page).content.decode()
        assert "BackendError" not in text
        assert "obody answers" in text
    listed = boss_client.get(reverse(DELIVERIES)).content.decode()
    assert "Mail: needs a second review" in listed
    assert f"{attempt.user}, {attempt.exam.name}</a>" in listed


def test_deliveries_name_nobody_of_other_peoples_courses(as_person: Callable[..., Client], attempt: Attempt) -> None:
    make_delivery(attempt)

    def page(name: str) -> str:
        client = as_person(name)
        user = User.objects.get(username=name)
        user.user_permissions.add(Permission.objects.get(codename="view_delivery"))
        return client.get(reverse(DELIVERIES)).content.decode()

    assert str(attempt.user) in page("staff-of-algebra")
    others = page("staff-of-botany")
    assert str(attempt.user) not in others
    assert f"Attempt {attempt.pk}" in others
