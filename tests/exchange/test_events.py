"""What vendors report while an exam runs: each event in the log once, and the reason of each that is not."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.backends import backends
from proctoring.backends.types import EventsReported, ReportedEvent
from proctoring.exams.models import ExamType
from proctoring.exchange import handlers
from proctoring.exchange.processing import process
from proctoring.inbox import services as inbox
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.logs.event_types import EVENT_TYPES, FIRST_OWN, Source
from proctoring.logs.intake import Reporter, take_in
from proctoring.logs.models import Event, EventActor
from proctoring.testing.simulator.events import TYPES, UNKNOWN_TYPE
from tests.factories import TEN, AttemptFactory, LiveSessionFactory, MessageFactory, at
from tests.hosts import configure

HALF_PAST = at(10, 30)
MOMENT = at(10, 25)


@pytest.fixture(autouse=True)
def vendor(db: None, settings: Any) -> None:
    options = {"base_url": "http://127.0.0.1:9", "client_id": "lms", "client_secret": "s" * 32}
    rest = {"BACKEND": "proctoring.backends.rest.RestBackend", "OPTIONS": options}
    configure(settings, BACKENDS={"vendor": rest})


@pytest.fixture
def attempt() -> Attempt:
    return make_attempt()


def make_attempt(**fields: Any) -> Attempt:
    exam = {"exam__exam_type": ExamType.PROCTORED, "exam__backend": "vendor"}
    return AttemptFactory(**{"status": Status.STARTED, "external_id": "ext-1", **exam, **fields})


def noticed(id_: Any = "e-1", type_: Any = 16, **fields: Any) -> dict[str, Any]:
    return {"id": id_, "type": type_, "occurred_at": MOMENT.isoformat(), **fields}


def message(*events: Any, **data: Any) -> WebhookMessage:
    said = {"attempt": "ext-1", "events": list(events), **data}
    body = {"type": "session.events", "timestamp": MOMENT.isoformat(), "data": said}
    return MessageFactory(plain=json.dumps(body).encode())


def work(now: Any = HALF_PAST) -> list[MessageStatus]:
    with time_machine.travel(now, tick=False):
        return [process(row) for row in inbox.claim_due(now=now, limit=10)]


def why(row: WebhookMessage) -> str:
    row.refresh_from_db()
    return row.error


def test_a_reported_event_is_in_the_log_as_the_vendors(attempt: Attempt) -> None:
    row = message(noticed(data={"faces": 0}))
    assert work() == ["processed"]
    event = Event.objects.get()
    assert (event.attempt, event.exam, event.type, event.known) == (attempt, attempt.exam, 16, EVENT_TYPES[16])
    assert (event.actor, event.backend, event.status) == (EventActor.VENDOR, "vendor", Status.STARTED)
    assert (event.occurred_at, event.at, event.received_at) == (MOMENT, MOMENT, HALF_PAST)
    assert (event.severity, event.data, event.ip) == ("warning", {"faces": 0}, None)
    row.refresh_from_db()
    assert (row.error, row.type, row.attempt_id) == ("", "EventsReported", attempt.pk)


def test_each_of_the_vendors_types_is_known(attempt: Attempt) -> None:
    assert set(TYPES) == {code for code in EVENT_TYPES if code < FIRST_OWN}
    assert UNKNOWN_TYPE not in EVENT_TYPES
    message(*(noticed(number, type_) for number, type_ in enumerate(TYPES)))
    assert work() == ["processed"]
    assert list(Event.objects.order_by("pk").values_list("type", flat=True)) == list(TYPES)


@pytest.mark.parametrize("type_", [UNKNOWN_TYPE, 0, 5000, 2**31 - 1])
def test_an_unknown_type_is_stored_and_shown_as_unknown(attempt: Attempt, type_: int) -> None:
    message(noticed(type_=type_))
    assert work() == ["processed"]
    event = Event.objects.get()
    assert (event.known, event.severity, str(event)) == (None, "notice", f"Unknown event {type_}")


@pytest.mark.parametrize(("said", "kept"), [("alert", "alert"), ("horrible", "warning"), ("", "warning")])
def test_a_vendor_may_say_how_grave_it_is(attempt: Attempt, said: str, kept: str) -> None:
    message(noticed(severity=said))
    work()
    assert Event.objects.get().severity == kept


def test_a_repeated_event_is_stored_once(attempt: Attempt) -> None:
    message(noticed("e-1"), noticed("e-2"))
    again = message(noticed("e-1"), noticed("e-2"))
    more = message(noticed("e-2"), noticed("e-3"), noticed("e-3"))
    assert work() == ["processed", "ignored", "processed"]
    assert (why(again), why(more)) == ("nothing of it is new", "")
    assert Event.objects.count() == 3
    inbox.replay(more, now=at(10, 40))
    assert work(at(10, 40)) == ["ignored"]
    assert Event.objects.count() == 3


def test_the_same_id_in_another_attempt_is_another_event(attempt: Attempt) -> None:
    make_attempt(external_id="ext-2")
    message(noticed())
    message(noticed(), attempt="ext-2")
    assert work() == ["processed", "processed"]


def test_an_id_that_the_log_does_not_take_is_known_by_its_fingerprint(attempt: Attempt) -> None:
    message(noticed("two words"), noticed("x" * 64), noticed("x" * 63))
    message(noticed("two words"), noticed("x" * 64), noticed("x" * 63))
    assert work() == ["processed", "ignored"]
    assert max(len(event.message_id) for event in Event.objects.all()) == 64


@pytest.mark.parametrize("name", ["e-1", "v:e-1", f"{handlers.VENDORS}e-1"])
def test_a_candidate_who_guesses_the_vendors_ids_keeps_nothing_out(attempt: Attempt, name: str) -> None:
    forged = {"message_id": name, "type": 4, "occurred_at": MOMENT.isoformat()}
    take_in(attempt, [forged], Reporter(source=Source.PAGE), now=HALF_PAST)
    message(noticed("e-1", 169))
    assert work() == ["processed"]
    assert Event.objects.filter(type=169, actor=EventActor.VENDOR).exists()


def test_what_is_refused_is_named_and_keeps_nothing_else_out(attempt: Attempt) -> None:
    row = message(noticed("a"), noticed("forged", 1002), noticed("big", data={"x": "x" * 9000}), {"id": "no moment"})
    assert work() == ["processed"]
    assert Event.objects.get().message_id.endswith("a")
    assert why(row) == "not stored: 'forged': wrong_source, 'big': too_large, 1 not understood"


def test_very_many_refused_events_have_a_short_reason(attempt: Attempt) -> None:
    row = message(noticed("a"), *(noticed(number, 1002) for number in range(400)))
    assert work() == ["processed"]
    assert why(row).endswith("'19': wrong_source, 380 more")


def test_a_message_of_which_nothing_can_be_stored_is_looked_at_by_people(attempt: Attempt) -> None:
    refused, nonsense = message(noticed(type_=1002)), message({"id": "no moment"})
    assert work() == ["quarantined", "quarantined"]
    assert why(refused) == "not stored: 'e-1': wrong_source"
    assert "data.events" in why(nonsense)


def test_a_message_without_events_is_ignored(attempt: Attempt) -> None:
    message()
    assert work() == ["ignored"]


def test_a_plugin_that_hands_over_too_many_loses_none(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    many = tuple(ReportedEvent(id=f"e-{number}", type=4, occurred_at=MOMENT) for number in range(501))
    event = EventsReported(occurred_at=MOMENT, attempt_external_id="ext-1", events=many)
    monkeypatch.setattr(backends["vendor"], "parse", lambda body: [event], raising=False)
    row = message(noticed())
    assert work() == ["quarantined"]
    assert "500" in why(row)


@pytest.mark.parametrize("status", list(Status), ids=str)
def test_events_of_an_attempt_in_any_status_are_evidence(status: Status) -> None:
    make_attempt(status=status)
    message(noticed())
    assert work() == ["processed"]
    assert Event.objects.get().status == status


def test_an_event_before_the_start_reads_as_at_the_start_and_one_of_the_future_as_now(attempt: Attempt) -> None:
    early, late = (TEN - timedelta(hours=5)).isoformat(), (TEN + timedelta(hours=5)).isoformat()
    message(noticed("a", occurred_at=early), noticed("b", occurred_at=late))
    work()
    assert list(Event.objects.order_by("at").values_list("at", flat=True)) == [TEN, HALF_PAST]


def test_what_was_noticed_before_the_deadline_is_noted_beside_the_end(attempt: Attempt) -> None:
    message(noticed())
    assert work(at(11, 30)) == ["processed"]
    attempt.refresh_from_db()
    assert (attempt.status, attempt.ended_at) == (Status.SUBMITTED, at(11, 0))
    assert Event.objects.get(type=16).at == MOMENT


def test_events_of_an_unknown_attempt_wait_for_it() -> None:
    message(noticed())
    assert work() == ["received"]
    make_attempt()
    assert work(at(11, 1)) == ["processed"]


def test_events_of_another_vendors_attempt_wait() -> None:
    make_attempt(backend="other")
    message(noticed())
    assert work() == ["received"]
    assert not Event.objects.exists()


def test_events_of_a_live_session_are_its_candidates() -> None:
    session = LiveSessionFactory(external_id="s-1", backend="vendor")
    row = message(noticed(), attempt=None, session="s-1")
    unknown = message(noticed(), attempt=None, session="s-2")
    assert work() == ["received", "received"]
    assert (why(row), why(unknown)) != ("", "")
    attempt = make_attempt(exam=session.exam, user=session.user, external_id="ext-7")
    assert work(at(11, 1)) == ["processed", "received"]
    row.refresh_from_db()
    assert (Event.objects.get(backend="vendor").attempt, row.attempt_id) == (attempt, attempt.pk)


@pytest.mark.parametrize("data", [{"attempt": "ext-1"}, {"attempt": None, "session": "s-1"}], ids=str)
def test_of_somebody_who_was_erased_nothing_is_kept(data: dict[str, Any]) -> None:
    attempt = make_attempt(status=Status.SUBMITTED, erased_at=TEN)
    LiveSessionFactory(external_id="s-1", backend="vendor", user=attempt.user, booking__exam=attempt.exam)
    row = message(noticed(), **data)
    assert work() == ["ignored"]
    row.refresh_from_db()
    assert (row.body, Event.objects.count()) == (b"", 0)


def test_who_is_erased_between_the_look_and_the_lock_leaves_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    make_attempt(status=Status.SUBMITTED)
    row = message(noticed())
    find = handlers._find

    def found(*args: Any) -> Attempt:
        seen = find(*args)
        Attempt.objects.update(erased_at=at(10, 29))
        return seen

    monkeypatch.setattr(handlers, "_find", found)
    assert work() == ["ignored"]
    row.refresh_from_db()
    assert (row.body, Event.objects.count()) == (b"", 0)


def test_hostile_words_are_stored_as_words(attempt: Attempt) -> None:
    hostile = {"a\x00<script>": "=HYPERLINK(1)\x00\ud800"}
    message(noticed(data=hostile, severity="<b>\x00"))
    assert work() == ["processed"]
    assert Event.objects.get().data == {"a<script>": "=HYPERLINK(1)?"}


def test_five_hundred_events_cost_as_many_statements_as_one(attempt: Attempt) -> None:
    def cost(count: int, first: int) -> int:
        message(*(noticed(number) for number in range(first, first + count)))
        with CaptureQueriesContext(connection) as queries:
            assert work() == ["processed"]
        return sum(query["sql"].startswith(("SELECT", "UPDATE", "INSERT")) for query in queries.captured_queries)

    few = cost(1, 0)
    # SQLite takes a thousand values in a statement, or some thirty thousand: the insert may come in parts there.
    assert cost(30, 100) == few
