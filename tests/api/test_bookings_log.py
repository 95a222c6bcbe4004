"""``bookings/{id}/log/`` and ``booking-log/``: what was done, filtered, page by page or as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.api.v1.booking_log import BATCH, COLUMNS
from proctoring.bookings import states
from proctoring.bookings.lifecycle import entry_of, log
from proctoring.bookings.log_codes import JOINED, RATING_STORED
from proctoring.bookings.models import Booking, BookingLogEntry, LiveSession
from proctoring.host import Role
from tests.api.conftest import A, B, Person, refused
from tests.api.test_statements import cost
from tests.factories import TEN, BookingFactory, LiveSessionFactory, UserFactory, at


@pytest.fixture
def planner(person: Callable[..., Person]) -> Person:
    return person(Role.PLANNER)


@pytest.fixture
def desk(person: Callable[..., Person]) -> Person:
    return person(Role.SERVICE_DESK)


@pytest.fixture
def booking() -> Booking:
    return BookingFactory(exam__course_id=A, exam__name="Final")


@pytest.fixture
def session(booking: Booking) -> LiveSession:
    return LiveSessionFactory(booking=booking, candidate_number=7)


def rows(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    assert answer.streaming
    return b"".join(answer.streaming_content).decode()


def codes(answer: Any) -> list[str | None]:
    return [row["code"] for row in rows(answer)]


class TestRows:
    def test_the_newest_first_and_whole(self, planner: Person, booking: Booking, session: LiveSession) -> None:
        agent = UserFactory(username="dora")
        log(booking, states.SCHEDULED, now=at(9, 0))
        log(booking, states.CONFIRMED_BY_HAND, now=at(9, 1), by=agent, comment="They called")
        log(booking, states.WITHOUT_CODE, now=at(9, 2), step="cancelled")
        log(booking, JOINED, now=at(9, 3), session=session)
        joined, cancelled, confirmed, scheduled = rows(planner.get(f"/bookings/{booking.pk}/log/"))
        assert confirmed == {
            "code": states.CONFIRMED_BY_HAND,
            "subject": "booking",
            "text": "Final: confirmed by hand (dora).",
            "at": "2026-03-02T09:01:00Z",
            "candidate_number": None,
            "by": {"id": agent.pk, "username": "dora"},
            "context": {"exam": "Final", "agent": "dora"},
            "booking": booking.pk,
            "comment": "They called",
        }
        assert (joined["subject"], joined["candidate_number"]) == ("session", 7)
        assert (cancelled["code"], cancelled["subject"], cancelled["text"]) == (None, "booking", "Final: cancelled")
        assert scheduled["by"] is None
        assert rows(planner.get("/booking-log/", course_id=A)) == [joined, cancelled, confirmed, scheduled]

    def test_in_the_readers_language(self, planner: Person, booking: Booking) -> None:
        log(booking, states.SCHEDULED, now=TEN)
        sentences = {"en": "Final: proctors will be asked for.", "de": "Final: Aufsichten werden angefragt."}
        for language, sentence in sentences.items():
            planner.client.defaults["HTTP_ACCEPT_LANGUAGE"] = language
            (row,) = rows(planner.get(f"/bookings/{booking.pk}/log/"))
            assert row["text"] == sentence
            # A file is written when the request is over, and another one may have come since.
            answer = planner.get("/booking-log/", course_id=A, export="ndjson")
            planner.client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
            planner.get("/bookings/")
            assert json.loads(text(answer))["text"] == sentence

    def test_page_by_page(self, planner: Person, booking: Booking) -> None:
        for minute in range(5):
            log(booking, states.SCHEDULED, now=at(9, minute))
        seen, page = [], planner.get("/booking-log/", course_id=A, page_size=2)
        while True:
            seen += [row["at"][14:16] for row in rows(page)]
            if page.json()["next"] is None:
                break
            page = planner.client.get(page.json()["next"])
        assert seen == ["04", "03", "02", "01", "00"]


class TestWho:
    def test_planners_and_the_desk_of_the_course(
        self, planner: Person, desk: Person, staff: Person, neighbour: Person, booking: Booking
    ) -> None:
        log(booking, states.SCHEDULED, now=TEN)
        other = BookingFactory(exam__course_id=B)
        log(other, states.SENT, now=TEN)
        for who in (planner, desk, staff):
            assert codes(who.get(f"/bookings/{booking.pk}/log/")) == [states.SCHEDULED]
            assert codes(who.get("/booking-log/", course_id=A)) == [states.SCHEDULED]
            refused(who.get(f"/bookings/{other.pk}/log/"), 404, "not_found")
            refused(who.get("/booking-log/", course_id=B), 403, "permission_denied")
        assert codes(neighbour.get("/booking-log/", course_id=B)) == [states.SENT]

    def test_nobody_else(
        self, nobody: Person, candidate: Person, proctor: Person, planner: Person, lms: Any, booking: Booking
    ) -> None:
        LiveSessionFactory(booking=booking, user=candidate.user)
        for path in (f"/bookings/{booking.pk}/log/", "/booking-log/", "/booking-log/?export=csv"):
            refused(nobody.get(path), 401, "not_authenticated")
        for who in (candidate, proctor):
            refused(who.get(f"/bookings/{booking.pk}/log/"), 404, "not_found")
            refused(who.get("/booking-log/"), 403, "permission_denied")
            refused(who.get("/booking-log/", course_id=A, export="csv"), 403, "permission_denied")
        lms.blind.add(candidate.user.pk)
        refused(candidate.get("/booking-log/", course_id=A), 404, "not_found")
        refused(planner.get("/booking-log/"), 400, "scope_required")
        refused(planner.get("/booking-log/", course_id=""), 400, "scope_required")


class TestFilters:
    def test_each(self, superuser: Person, booking: Booking, session: LiveSession) -> None:
        other = LiveSessionFactory(booking=booking, candidate_number=8)
        log(booking, states.WITHOUT_CODE, now=at(9, 0), step="cancelled")
        log(booking, JOINED, now=at(9, 1), session=session)
        log(booking, RATING_STORED, now=at(9, 2), session=other)
        for query, found in (
            ({"code": JOINED}, [JOINED]),
            ({"subject": "session"}, [JOINED]),
            ({"subject": "rating"}, [RATING_STORED]),
            ({"subject": "booking"}, [None]),
            ({"candidate": 7}, [JOINED]),
            ({"user": other.user_id}, [RATING_STORED]),
            ({"from": "2026-03-02T09:01:00Z"}, [RATING_STORED, JOINED]),
            ({"to": "2026-03-02T10:01:00+01:00"}, [None]),
            ({"from": "2026-03-02T09:01:00Z", "to": "2026-03-02T09:02:00Z"}, [JOINED]),
        ):
            for path in (f"/bookings/{booking.pk}/log/", "/booking-log/"):
                assert codes(superuser.get(path, course_id=A, **query)) == found, query
            lines = text(superuser.get("/booking-log/", course_id=A, export="ndjson", **query)).splitlines()
            assert [json.loads(line)["code"] for line in lines] == found, query

    @pytest.mark.parametrize(
        "query",
        [
            {"code": "fine"},
            {"subject": "weather"},
            {"candidate": 0},
            {"candidate": 2**63},
            {"user": "x"},
            {"from": "yesterday"},
            {"from": "1969-12-31T00:00:00Z"},
            {"to": "9999-12-31T23:59:59Z"},
            {"to": "\x00"},
            {"cursor": "x"},
            {"export": "xlsx"},
            {"export": ""},
            {"course_id": "a\x00b"},
            {"course_id": "x" * 256},
        ],
    )
    def test_what_makes_no_sense(self, query: dict[str, Any], superuser: Person) -> None:
        refused(superuser.get("/booking-log/", **{"course_id": A, **query}), 400, "invalid")


class TestFiles:
    def test_a_csv_file_without_formulas(self, planner: Person, booking: Booking, session: LiveSession) -> None:
        booking.exam.name = "=HYPERLINK(1)"
        log(booking, states.BY_HAND, now=at(9, 0), by=UserFactory(username="dora"), comment="@x")
        log(booking, JOINED, now=at(9, 1), session=session)
        answer = planner.get("/booking-log/", course_id=A, export="csv")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="booking-log-course-v1-Demo-A-2026.csv"'
        assert answer.headers["Cache-Control"] == "no-store"
        joined, by_hand = csv.DictReader(io.StringIO(text(answer), newline=""))
        assert tuple(joined) == COLUMNS
        assert (joined["candidate_number"], joined["by"]) == ("7", "")
        assert by_hand["at"] == "2026-03-02T09:00:00Z"
        assert (by_hand["by"], by_hand["comment"]) == ("dora", "'@x")
        assert by_hand["text"].startswith("'=HYPERLINK(1)")
        assert json.loads(by_hand["context"]) == {"exam": "=HYPERLINK(1)", "agent": "dora"}

    def test_json_lines(self, planner: Person, booking: Booking) -> None:
        log(booking, states.SCHEDULED, now=at(9, 0))
        answer = planner.get(f"/bookings/{booking.pk}/log/", export="ndjson")
        assert answer.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
        assert answer.headers["Content-Disposition"].endswith(f'booking-log-{booking.pk}.ndjson"')
        assert json.loads(text(answer))["context"] == {"exam": "Final"}

    def test_a_file_is_read_in_batches_while_it_is_written(self, planner: Person, booking: Booking) -> None:
        count = 2 * BATCH
        entries = (entry_of(booking, states.SCHEDULED, now=TEN + timedelta(seconds=n)) for n in range(count))
        BookingLogEntry.objects.bulk_create(entries)
        answer = planner.get("/booking-log/", course_id=A, export="ndjson")
        with CaptureQueriesContext(connection) as captured:
            moments = [json.loads(line)["at"] for line in text(answer).splitlines()]
        assert len(captured) == 3
        assert moments == sorted(set(moments), reverse=True)
        assert len(moments) == count


class TestCost:
    @pytest.mark.parametrize(("path", "statements"), [("/bookings/{}/log/", 5), ("/booking-log/", 4)])
    def test_a_page_costs_the_same_at_any_size(self, path: str, statements: int) -> None:
        clerk = Person(UserFactory())
        clerk.user.user_permissions.add(Permission.objects.get(codename="confirm_booking"))
        booking = BookingFactory(exam__course_id="c")

        def grow(count: int) -> None:
            for _ in range(count):
                session = LiveSessionFactory(booking=booking)
                log(booking, JOINED, now=TEN, session=session, by=UserFactory())

        grow(10)
        whole = path.format(booking.pk)
        assert cost(lambda: clerk.get(whole, course_id="c")) == statements
        grow(50)
        assert cost(lambda: clerk.get(whole, course_id="c", page_size=200)) == statements
