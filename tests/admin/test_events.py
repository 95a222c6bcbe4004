"""The log of events in the admin: whose it is, how it is narrowed down, what is read of it, what it costs."""

import re
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

from proctoring.admin import events
from proctoring.admin.event_filters import READERS
from proctoring.admin.event_rows import CATEGORIES, SEVERITIES, SHOWN
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam
from proctoring.host import Role
from proctoring.logs.event_types import EVENT_TYPES, Severity
from proctoring.logs.models import Event, EventActor
from tests.factories import AttemptFactory, ExamFactory

from .conftest import HOSTILE, address, make_event, numbers, told

LIST = "admin:proctoring_event_changelist"


def read(client: Client, **query: Any) -> Any:
    return client.get(reverse(LIST), query)


def listed(client: Client, **query: Any) -> list[int]:
    response = read(client, **query)
    assert response.status_code == 200
    return [row.pk for row in response.context["cl"].result_list]


def of(attempt: Attempt) -> dict[str, Any]:
    return {"attempt__id__exact": attempt.pk}


def cells(client: Client, **query: Any) -> list[str]:
    """The columns of the first row, as text."""
    content = read(client, **query).content.decode()
    row = content.partition("<tbody>")[2].partition("</tr>")[0]
    return [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]


def page(event: Event) -> str:
    return reverse("admin:proctoring_event_change", args=(event.pk,))


@pytest.fixture
def other(make_attempt: Callable[..., Attempt]) -> Attempt:
    """Somebody else's attempt at the same exam."""
    return make_attempt()


def test_a_row_says_what_happened_in_words(boss_client: Client, boss: User, attempt: Attempt) -> None:
    fields = {"reason_code": 10030, "reason_message": "a drill", "question_number": 7, "item_id": "", "error": ""}
    make_event(
        attempt,
        1010,
        actor="proctor",
        actor_user=boss,
        severity="notice",
        ip="192.0.2.7",
        data={},
        backend="",
        **fields,
    )
    shown = cells(boss_client, **of(attempt))
    assert shown[1:] == [
        f"{attempt.user}, #1",
        "Paused",
        "Notice",
        "Proctor (boss)",
        "Room: noise: a drill",
        "7",
        "192.0.2.7",
    ]


def test_a_vendors_row_names_the_vendor_and_an_unknown_type_is_unknown(boss_client: Client, attempt: Attempt) -> None:
    event = make_event(attempt, 990, severity="alert", reason_code=77, reason_message="")
    shown = cells(boss_client, **of(attempt))
    assert shown[2:5] == ["Unknown event 990", "Alert", "Vendor (rest)"]
    assert shown[5].startswith("77: ")
    content = boss_client.get(page(event)).content.decode()
    assert "not known here" in content
    assert "990" in content


def test_the_newest_is_first(boss_client: Client, attempt: Attempt) -> None:
    now = timezone.now()
    first = [make_event(attempt, at=now - timedelta(hours=hours)).pk for hours in (2, 1, 3)]
    same = make_event(attempt, at=now - timedelta(hours=1)).pk
    expected = [same, first[1], first[0], first[2]]
    assert [pk for pk in listed(boss_client, **of(attempt)) if pk in expected] == expected


def test_a_list_is_of_one_exam_or_attempt(
    boss_client: Client, exam: Exam, attempt: Attempt, other: Attempt, make_exam: Callable[..., Exam]
) -> None:
    mine, theirs = make_event(attempt).pk, make_event(other).pk
    elsewhere = make_event(AttemptFactory(exam=make_exam())).pk
    everything = read(boss_client)
    assert told(everything) == ["Choose an exam to read its log, or come from an attempt."]
    assert everything.context["cl"].result_count == 0
    assert read(boss_client, severity="warning", course="algebra").context["cl"].result_count == 0
    found = listed(boss_client, exam__id__exact=exam.pk)
    assert {mine, theirs} <= set(found)
    assert elsewhere not in found
    found = listed(boss_client, **of(attempt))
    assert mine in found
    assert theirs not in found
    assert listed(boss_client, exam__id__exact=make_exam().pk, **of(attempt)) == []


def test_an_event_of_the_exam_alone_is_in_its_list(boss_client: Client, exam: Exam, attempt: Attempt) -> None:
    event = make_event(attempt)
    Event._base_manager.filter(pk=event.pk).update(attempt=None)
    assert event.pk in listed(boss_client, exam__id__exact=exam.pk)
    assert boss_client.get(page(event)).status_code == 200


def test_the_list_is_filtered_by_severity_category_actor_and_day(
    boss_client: Client, exam: Exam, attempt: Attempt
) -> None:
    now = timezone.now()
    face, unknown = make_event(attempt, 81, severity="alert").pk, make_event(attempt, 990, severity="notice").pk
    paused = make_event(attempt, 1010, severity="notice", actor="proctor").pk
    old = make_event(attempt, 16, at=now - timedelta(days=40)).pk

    def found(**query: Any) -> set[int]:
        return set(listed(boss_client, exam__id__exact=exam.pk, **query)) & {face, unknown, paused, old}

    assert found(severity="alert") == {face}
    assert found(severity="notice") == {unknown, paused}
    assert found(category="face") == {face, old}
    assert found(category="unknown") == {unknown}
    assert found(category="lifecycle") == {paused}
    assert found(actor="proctor") == {paused}
    assert found(actor="vendor", category="face", severity="warning") == {old}
    since = (now - timedelta(days=7)).strftime("%Y-%m-%d 00:00:00+00:00")
    assert found(at__gte=since) == {face, unknown, paused}
    assert found(course="algebra") == {face, unknown, paused, old}
    assert found(course="botany") == set()


def test_every_severity_category_and_type_has_its_words(boss_client: Client, exam: Exam, attempt: Attempt) -> None:
    assert set(SEVERITIES) == set(Severity)
    assert {one.category for one in EVENT_TYPES.values()} < set(CATEGORIES)
    now = timezone.now()
    Event.objects.bulk_create(
        Event(
            exam=exam,
            attempt=attempt,
            type=code,
            actor=EventActor.SYSTEM,
            occurred_at=now,
            received_at=now,
            at=now,
            message_id=f"t-{code}",
            severity=one.severity,
        )
        for code, one in EVENT_TYPES.items()
    )
    content = read(boss_client, all="", **of(attempt)).content.decode()
    for one in EVENT_TYPES.values():
        assert str(one.label).replace("'", "&#x27;") in content
    for event in Event.objects.filter(message_id__in=["t-16", "t-1062"]):
        shown = boss_client.get(page(event)).content.decode()
        assert str(EVENT_TYPES[event.type].description).replace("'", "&#x27;") in shown


def test_a_page_has_everything_and_nothing_to_press(boss_client: Client, attempt: Attempt) -> None:
    event = make_event(
        attempt, extra_minutes=5, user_agent="Firefox", stream="tab-1", sequence=12, status="started", ip="2001:db8::1"
    )
    content = boss_client.get(page(event)).content.decode()
    for words in (
        "No face visible",
        "The camera sees no face.",
        "Faces",
        "Firefox",
        "tab-1",
        str(Status.STARTED.label),
        "2001:db8::1",
    ):
        assert words in content
    assert address(attempt) in content
    assert event.message_id in content
    assert "hush-hush" not in content
    assert HOSTILE not in content
    assert 'name="_save"' not in content


def test_vendors_words_are_words(boss_client: Client, attempt: Attempt) -> None:
    make_event(attempt, severity='"><b>', backend="<i>", reason_message="", error=HOSTILE * 50)
    content = read(boss_client, **of(attempt)).content.decode()
    assert "<script>alert" not in content
    assert "&lt;script&gt;" in content
    for markup in ('"><b>', "<i>"):
        assert markup not in content
    shown = boss_client.get(address(attempt)).content.decode()
    assert "<script>alert" not in shown
    assert '"><b>' not in shown


def test_the_log_is_only_read(boss_client: Client, attempt: Attempt) -> None:
    event = make_event(attempt)
    before = list(Event._base_manager.values())
    for name, *args in (("add",), ("change", event.pk), ("delete", event.pk)):
        where = reverse(f"admin:proctoring_event_{name}", args=args)
        assert boss_client.post(where, {"type": 4, "post": "yes"}).status_code == 403
    assert list(Event._base_manager.values()) == before
    shown = read(boss_client, **of(attempt))
    assert shown.context["cl"].formset is None
    assert "<select name=" not in shown.content.decode()


@pytest.mark.parametrize("role", [role.name.lower() for role in READERS])
def test_the_log_is_of_ones_own_courses(as_person: Callable[..., Client], attempt: Attempt, role: str) -> None:
    event = make_event(attempt)
    reader, stranger = as_person(f"{role}-of-algebra"), as_person(f"{role}-of-botany")
    assert event.pk in listed(reader, **of(attempt))
    assert reader.get(page(event)).status_code == 200
    for query in (of(attempt), {"exam__id__exact": attempt.exam_id}):
        assert listed(stranger, **query) == []
        assert str(attempt.user) not in read(stranger, **query).content.decode()
    assert stranger.get(page(event)).status_code in (302, 403, 404)


@pytest.mark.parametrize("role", sorted(role.name.lower() for role in set(Role) - set(READERS)))
def test_other_roles_do_not_read_the_log(as_person: Callable[..., Client], attempt: Attempt, role: str) -> None:
    event = make_event(attempt)
    person = as_person(f"{role}-of-algebra")
    assert read(person, **of(attempt)).status_code == 403
    assert person.get(page(event)).status_code in (302, 403)
    if role == "reviewer":
        assert "Events during the exam" not in person.get(address(attempt)).content.decode()


def test_a_reader_of_logs_is_led_to_no_page_that_is_closed(as_person: Callable[..., Client], attempt: Attempt) -> None:
    event = make_event(attempt)
    content = as_person("log_viewer-of-algebra").get(page(event)).content.decode()
    assert address(attempt) not in content
    assert str(attempt.user) in content
    assert address(attempt) in as_person("invigilator-of-algebra").get(page(event)).content.decode()


def test_of_ones_own_attempt_nothing_is_read_here(as_person: Callable[..., Client], exam: Exam) -> None:
    person = as_person("staff-of-algebra")
    own = AttemptFactory(exam=exam, user=User.objects.get(username="staff-of-algebra"))
    event = make_event(own)
    for query in (of(own), {"exam__id__exact": exam.pk}):
        assert event.pk not in listed(person, **query)
    assert person.get(page(event)).status_code in (302, 403, 404)
    assert "Events during the exam" not in person.get(address(own)).content.decode()


@pytest.mark.parametrize("value", ["x", "99999999999999999999999", "\x00", "-1", "1 or 1"])
def test_nonsense_in_a_filter_is_no_error(boss_client: Client, exam: Exam, attempt: Attempt, value: str) -> None:
    make_event(attempt)
    for name in ("exam__id__exact", "attempt__id__exact", "severity", "category", "actor", "at__gte", "course", "q"):
        for scope in ({}, {"exam__id__exact": exam.pk}):
            assert read(boss_client, **{**scope, name: value}).status_code in (200, 302, 400)


@pytest.mark.parametrize(
    "name", ["attempt__code__startswith", "attempt__user__password__startswith", "ip", "data__said", "message_id", "id"]
)
def test_the_log_answers_no_other_question(boss_client: Client, exam: Exam, attempt: Attempt, name: str) -> None:
    make_event(attempt)
    assert read(boss_client, exam__id__exact=exam.pk, **{name: "a"}).status_code == 400


def test_exams_on_offer_are_those_of_ones_courses(as_person: Callable[..., Client], exam: Exam) -> None:
    ExamFactory(course_id="botany", name="Mosses")
    content = read(as_person("log_viewer-of-algebra")).content.decode()
    assert f"exam__id__exact={exam.pk}" in content
    assert "Mosses" not in content


def test_the_list_costs_the_same_at_any_length_and_counts_no_further_than_it_reaches(
    boss_client: Client, exam: Exam, make_attempt: Callable[..., Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cost(**query: Any) -> int:
        with CaptureQueriesContext(connection) as queries:
            response = read(boss_client, **query)
            assert response.status_code == 200
        counts = [one["sql"] for one in queries.captured_queries if "COUNT(" in one["sql"] and "_event" in one["sql"]]
        assert all(f"LIMIT {events.REACHED}" in sql for sql in counts)
        return len(queries)

    scopes: list[dict[str, Any]] = [{"exam__id__exact": exam.pk}, {"exam__id__exact": exam.pk, "severity": "warning"}]
    for _ in range(3):
        make_event(make_attempt())
    for query in scopes:
        cost(**query)
    before = [cost(**query) for query in scopes]
    for _ in range(60):
        make_event(make_attempt())
    assert [cost(**query) for query in scopes] == before
    monkeypatch.setattr(events, "REACHED", 20)
    capped = read(boss_client, exam__id__exact=exam.pk)
    assert capped.context["cl"].result_count == 20
    assert told(capped) == ["Only the newest 20 are listed: choose an attempt, a day or how grave it was."]


def test_the_page_of_an_attempt_shows_its_last_events(boss_client: Client, attempt: Attempt, other: Attempt) -> None:
    make_event(other, 170)
    make_event(attempt, 81, severity="alert")
    response = boss_client.get(address(attempt))
    table = next(one for one in response.context["tables"] if one.name == "events")
    newest = [re.sub(r"<[^>]*>", "", str(cell)) for cell in table.rows[0]]
    assert newest[1:4] == ["Several faces visible", "Alert", "Vendor (rest)"]
    assert "Book visible" not in str(table.rows)
    assert f"{reverse(LIST)}?attempt__id__exact={attempt.pk}" in str(table.more)
    assert response.content.decode().count("Events during the exam") == 1

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            boss_client.get(address(attempt))
        return len(queries)

    before = cost()
    for _ in range(SHOWN + 5):
        make_event(attempt)
    assert cost() == before
    full = next(one for one in boss_client.get(address(attempt)).context["tables"] if one.name == "events")
    assert len(full.rows) == SHOWN
    assert full.notes == [f"Only the newest {SHOWN} are shown."]


def test_an_attempt_without_events_says_so(boss_client: Client) -> None:
    attempt = AttemptFactory(full_name=f"nobody-{next(numbers)}")
    table = next(one for one in boss_client.get(address(attempt)).context["tables"] if one.name == "events")
    assert (table.rows, table.more) == ([], "")
