"""``attempts/{id}/heartbeat/``: what the page says, what it hears, and what that costs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.states import Status
from proctoring.attempts.tokens import PageClaims, issue_page_token, verify_access_token
from proctoring.errors import NotPermitted
from proctoring.host import Role
from proctoring.logs.models import Event
from proctoring.monitoring.commands import send_command
from proctoring.monitoring.models import CommandKind, Presence
from proctoring.privacy.erasure import erase_user
from tests.api.conftest import ROOT, Person
from tests.api.test_statements import cost
from tests.factories import AttemptFactory, UserFactory
from tests.hosts import configure

KEY = "a key of thirty-two characters or more"
ANSWER = {
    *("sequence", "server_time", "status", "expires_at", "seconds_left", "next_heartbeat_seconds"),
    *("commands", "refused"),
}


@pytest.fixture
def running(attempt: Attempt) -> Attempt:
    """Ten minutes into the hour."""
    now = timezone.now()
    Attempt.objects.filter(pk=attempt.pk).update(
        status=Status.STARTED, started_at=now - timedelta(minutes=10), expires_at=now + timedelta(minutes=50)
    )
    attempt.refresh_from_db()
    return attempt


def beat(person: Person, attempt: Attempt, **body: Any) -> Any:
    return person.post(f"/attempts/{attempt.pk}/heartbeat/", body)


def heard(person: Person, attempt: Attempt, **body: Any) -> dict[str, Any]:
    answer = beat(person, attempt, **body)
    assert answer.status_code == 200, answer.content
    told: dict[str, Any] = answer.json()
    assert set(told) == ANSWER
    return told


def types(attempt: Attempt) -> list[int]:
    return list(Event.objects.filter(attempt=attempt.pk).order_by("pk").values_list("type", flat=True))


def row(name: str, **fields: Any) -> dict[str, Any]:
    return {"message_id": name, "type": 1004, "occurred_at": timezone.now().isoformat(), **fields}


class Page:
    """A page without a session: its token is all it has."""

    def __init__(self, attempt: Attempt, user: Any = None, **client: Any) -> None:
        claims = PageClaims(user=str(user or attempt.user_id), attempt=attempt.pk)
        self.headers = {"X-Proctoring-Page": str(issue_page_token(claims, now=timezone.now()))}
        self.client = Client(**client)

    def post(self, path: str, body: Any) -> Any:
        return self.client.post(ROOT + path, body, content_type="application/json", headers=self.headers)


@pytest.fixture
def keys(settings: Any, lms: Any) -> None:
    configure(settings, HOST="tests.api.hosts.CourseHost", ACCESS_TOKEN_KEYS=[KEY])


def test_answer_says_how_the_attempt_stands(candidate: Person, running: Attempt) -> None:
    told = heard(candidate, running, sequence=7, client_time=timezone.now().isoformat())

    assert (told["sequence"], told["status"], told["next_heartbeat_seconds"]) == (7, "started", 30)
    assert 2990 <= told["seconds_left"] <= 3000
    assert told["commands"] == told["refused"] == []
    assert Presence.objects.get(attempt=running).state == "online"


def test_usual_heartbeat_costs_one_statement_and_writes_no_history(candidate: Person, running: Attempt) -> None:
    heard(candidate, running, sequence=1)
    before = running.history.count()

    # Session and user are the host's.
    assert cost(lambda: beat(candidate, running, sequence=2)) == 3
    assert running.history.count() == before
    assert Attempt.objects.get(pk=running.pk).modified_at == running.modified_at
    assert types(running) == []


@pytest.mark.usefixtures("keys")
def test_with_a_token_the_heartbeat_is_the_one_statement(running: Attempt) -> None:
    page = Page(running)
    beat(page, running)  # type: ignore[arg-type]

    assert cost(lambda: beat(page, running)) == 1  # type: ignore[arg-type]


def test_ten_events_cost_one_more(candidate: Person, running: Attempt) -> None:
    heard(candidate, running)
    rows = [row(f"m{number}") for number in range(10)]

    assert cost(lambda: beat(candidate, running, events=rows)) == 4
    assert Event.objects.filter(attempt=running).count() == 10
    heard(candidate, running, events=rows)
    assert Event.objects.filter(attempt=running).count() == 10


class TestCommands:
    def test_are_told_until_the_page_has_carried_them_out(self, candidate: Person, running: Attempt) -> None:
        heard(candidate, running)
        command = send_command(running, CommandKind.MESSAGE, by=None, now=timezone.now(), text="<b>Five minutes</b>")

        (told,) = heard(candidate, running)["commands"]
        assert set(told) == {"id", "kind", "text", "minutes", "sent_at"}
        assert (told["id"], told["kind"], told["text"]) == (command.pk, "message", "<b>Five minutes</b>")

        (told,) = heard(candidate, running, acknowledged=[{"id": command.pk, "state": "seen"}])["commands"]
        assert told["id"] == command.pk
        heard(candidate, running, acknowledged=[command.pk])
        assert heard(candidate, running)["commands"] == []
        command.refresh_from_db()
        assert command.seen_at <= command.applied_at
        assert types(running) == [1050, 1051, 1052]

    def test_what_is_said_twice_or_of_a_strangers_command_changes_nothing(
        self, candidate: Person, running: Attempt
    ) -> None:
        stranger = AttemptFactory(exam=running.exam, status=Status.STARTED)
        theirs = send_command(stranger, CommandKind.PAUSE, by=None, now=timezone.now())
        mine = send_command(running, CommandKind.EXTEND, by=None, now=timezone.now(), minutes=5)
        for _ in range(3):
            heard(candidate, running, acknowledged=[theirs.pk, mine.pk, 2**62])

        theirs.refresh_from_db()
        assert theirs.applied_at is None
        assert types(running) == [1050, 1051, 1052]

    def test_come_in_the_order_in_which_they_were_sent(self, candidate: Person, running: Attempt) -> None:
        for kind in (CommandKind.PAUSE, CommandKind.RESUME, CommandKind.RELOAD):
            send_command(running, kind, by=None, now=timezone.now())

        assert [one["kind"] for one in heard(candidate, running)["commands"]] == ["pause", "resume", "reload"]


class TestWho:
    def test_only_the_candidate_reports_for_their_page(
        self, candidate: Person, person: Callable[..., Person], neighbour: Person, nobody: Person, running: Attempt
    ) -> None:
        heard(candidate, running)
        for somebody, status in (
            (person(Role.INVIGILATOR), 403),
            (person(Role.STAFF), 403),
            (person(Role.LOG_VIEWER), 403),
            (person(), 404),
            (neighbour, 404),
            (nobody, 401),
        ):
            assert beat(somebody, running).status_code == status
        assert beat(candidate, Attempt(pk=2**40)).status_code == 404

    @pytest.mark.usefixtures("keys")
    def test_token_is_good_for_its_own_attempt_and_only_for_what_pages_report(self, running: Attempt) -> None:
        page = Page(running)
        other = AttemptFactory(exam=running.exam, user=running.user, number=2, status=Status.SUBMITTED)

        assert beat(page, other).status_code == 404  # type: ignore[arg-type]
        assert page.post(f"/attempts/{other.pk}/events/", []).status_code == 404
        assert page.post(f"/attempts/{running.pk}/events/", [row("a")]).json()["stored"] == 1
        assert page.post(f"/attempts/{running.pk}/submit/", {}).status_code == 401
        assert page.client.get(f"{ROOT}/attempts/{running.pk}/", headers=page.headers).status_code == 401

    @pytest.mark.usefixtures("keys")
    def test_token_that_names_somebody_else_finds_nothing(self, running: Attempt) -> None:
        assert beat(Page(running, user=UserFactory().pk), running).status_code == 404  # type: ignore[arg-type]
        assert beat(Page(running, user="x"), running).status_code == 401  # type: ignore[arg-type]

    @pytest.mark.usefixtures("keys")
    @pytest.mark.parametrize("token", ["", "x", "a.b.c", "é"])
    def test_token_that_is_none_is_nobody(self, running: Attempt, token: str) -> None:
        page = Page(running)
        page.headers = {"X-Proctoring-Page": token}

        assert beat(page, running).status_code == 401  # type: ignore[arg-type]

    @pytest.mark.usefixtures("keys")
    def test_access_token_is_no_page_token_and_none_the_other_way_round(
        self, candidate: Person, running: Attempt
    ) -> None:
        access = candidate.get(f"/exams/{running.exam_id}/access/").json()["token"]
        page = Page(running)
        with pytest.raises(NotPermitted):
            verify_access_token(page.headers["X-Proctoring-Page"])
        page.headers = {"X-Proctoring-Page": access}
        assert beat(page, running).status_code == 401  # type: ignore[arg-type]

    @pytest.mark.usefixtures("keys")
    def test_token_that_has_expired_leaves_it_to_the_session(self, candidate: Person, running: Attempt) -> None:
        claims = PageClaims(user=str(running.user_id), attempt=running.pk)
        old = issue_page_token(claims, now=timezone.now() - timedelta(hours=13))
        answer = candidate.post(f"/attempts/{running.pk}/heartbeat/", {}, **{"X-Proctoring-Page": str(old)})

        assert answer.status_code == 200

    def test_session_needs_its_csrf_token_and_a_page_token_none(self, candidate: Person, running: Attempt) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(candidate.user)
        path = f"{ROOT}/attempts/{running.pk}/heartbeat/"

        assert strict.post(path, {}, content_type="application/json").status_code == 403
        assert beat(Page(running, enforce_csrf_checks=True), running).status_code == 200  # type: ignore[arg-type]


class TestInput:
    @pytest.mark.parametrize(
        "body",
        [
            {"sequence": -1},
            {"sequence": "x"},
            {"sequence": 2**60},
            {"client_time": "yesterday"},
            {"client_time": "0001-01-01T00:00:00Z"},
            {"round_trip_ms": -1},
            {"round_trip_ms": 10**9},
            {"events": {}},
            {"events": [1]},
            {"events": [{}] * 501},
            {"acknowledged": {}},
            {"acknowledged": [None]},
            {"acknowledged": [{"id": 1, "state": "maybe"}]},
            {"acknowledged": [2**64]},
            {"acknowledged": list(range(1, 500))},
            [],
        ],
    )
    def test_nonsense_is_refused(self, candidate: Person, running: Attempt, body: Any) -> None:
        answer = candidate.post(f"/attempts/{running.pk}/heartbeat/", body)

        assert answer.status_code == 400, answer.content
        assert answer.json()["code"] in ("invalid", "parse_error")

    @pytest.mark.parametrize("when", ["1970-01-01T00:00:00Z", "9000-12-31T23:59:59Z"])
    def test_clock_far_off_is_measured_and_does_no_harm(self, candidate: Person, running: Attempt, when: str) -> None:
        for _ in range(2):
            heard(candidate, running, client_time=when, events=[row("a")])

        assert 2990 <= heard(candidate, running)["seconds_left"] <= 3000

    def test_rows_that_are_not_sound_are_named_and_keep_nobody_out(self, candidate: Person, running: Attempt) -> None:
        rows = [row("good"), row("forged", type=1010), {"message_id": "x"}]
        refused = heard(candidate, running, events=rows)["refused"]

        assert [(one["index"], one["code"]) for one in refused] == [(1, "wrong_source"), (2, "invalid")]
        assert Event.objects.get(attempt=running, type=1004).message_id == "good"

    def test_wrong_clock_changes_neither_order_nor_deadline(self, candidate: Person, running: Attempt) -> None:
        """Two hours ahead, and all that it says is two hours ahead."""
        now = timezone.now()
        wrong = timedelta(hours=2)
        minutes_ago = {f"m{ago}": (now - timedelta(minutes=ago) + wrong).isoformat() for ago in (3, 2, 1)}
        rows = [row(name, occurred_at=when) for name, when in minutes_ago.items()]
        heard(candidate, running, client_time=(now + wrong).isoformat(), round_trip_ms=100)
        told = heard(candidate, running, client_time=(now + wrong).isoformat(), round_trip_ms=100, events=rows)

        found = Event.objects.filter(attempt=running, type=1004).order_by("at")
        assert [event.message_id for event in found] == ["m3", "m2", "m1"]
        assert abs(found[0].at - (now - timedelta(minutes=3))) < timedelta(seconds=2)
        assert 2990 <= told["seconds_left"] <= 3000

    def test_same_measure_holds_for_events_that_come_alone(self, candidate: Person, running: Attempt) -> None:
        now = timezone.now()
        ahead = now + timedelta(hours=2)
        heard(candidate, running, client_time=ahead.isoformat())
        candidate.post(
            f"/attempts/{running.pk}/events/", [row("m", occurred_at=(ahead - timedelta(minutes=4)).isoformat())]
        )

        assert abs(Event.objects.get(message_id="m").at - (now - timedelta(minutes=4))) < timedelta(seconds=2)


def test_heartbeat_after_erasure_is_refused_and_keeps_nothing(candidate: Person, running: Attempt) -> None:
    heard(candidate, running)
    Attempt.objects.filter(pk=running.pk).update(status=Status.SUBMITTED, ended_at=timezone.now(), open_slot=None)
    erase_user(candidate.user, by=UserFactory(is_superuser=True), reason="asked for it")
    answer = beat(candidate, running, events=[row("late")])

    assert (answer.status_code, answer.json()["code"]) == (409, "attempt_erased")
    assert not Presence.objects.exists()
    assert not Event.objects.filter(message_id="late").exists()


def test_events_that_come_with_a_heartbeat_after_the_end_are_kept(candidate: Person, running: Attempt) -> None:
    heard(candidate, running)
    Attempt.objects.filter(pk=running.pk).update(status=Status.SUBMITTED, ended_at=timezone.now(), open_slot=None)
    told = heard(candidate, running, events=[row("late"), row("forged", type=1010)])

    assert (told["status"], [one["code"] for one in told["refused"]]) == ("submitted", ["wrong_source"])
    assert Event.objects.filter(attempt=running, message_id="late").exists()


def test_busy_server_says_so(candidate: Person, running: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctoring.api.v1.heartbeats.load.mean_ms", 10_000.0)

    assert heard(candidate, running)["next_heartbeat_seconds"] == 120


def test_attempt_whose_deadline_has_passed_never_looks_as_if_it_ran(candidate: Person, running: Attempt) -> None:
    heard(candidate, running)
    Attempt.objects.filter(pk=running.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    told = heard(candidate, running)

    assert (told["status"], told["expires_at"], told["seconds_left"]) == ("submitted", None, None)


class TestProposals:
    def test_staff_accept_or_refuse_what_an_outage_proposes(
        self, candidate: Person, staff: Person, proctor: Person, running: Attempt
    ) -> None:
        path = f"/attempts/{running.pk}/time/"
        keys = [
            TimeEntry.objects.create(attempt=running, kind="outage", seconds=60, state="proposed", at=timezone.now()).pk
            for _ in range(2)
        ]
        assert proctor.post(path, {"accepts": keys[0], "comment": "yes"}).status_code == 403
        assert candidate.post(path, {"accepts": keys[0], "comment": "yes"}).status_code == 403
        assert staff.post(path, {"accepts": keys[0], "refuses": keys[1], "comment": "x"}).status_code == 400
        accepted = staff.post(path, {"accepts": keys[0], "comment": "The router died"})
        refused = staff.post(path, {"refuses": keys[1], "comment": "Not this one"}).json()

        assert accepted.status_code == 201
        assert [entry["state"] for entry in refused["entries"]] == ["applied", "applied", "refused"]
        assert refused["total_seconds"] == 3660
        again = staff.post(path, {"accepts": keys[0], "comment": "again"})
        assert (again.status_code, again.json()["code"]) == (409, "not_proposed")


def test_timeline_shows_the_connection_of_each_moment(candidate: Person, proctor: Person, running: Attempt) -> None:
    heard(candidate, running, round_trip_ms=20)
    heard(candidate, running, round_trip_ms=20, events=[row("a")])
    heard(candidate, running, round_trip_ms=5000)
    heard(candidate, running, round_trip_ms=5000, events=[row("b")])
    shown = proctor.get(f"/attempts/{running.pk}/timeline/", order="oldest").json()["results"]

    assert [(one["type"], one["connection"]) for one in shown] == [
        (1022, "good"),
        (1004, "good"),
        (1022, "poor"),
        (1004, "poor"),
    ]


def test_address_is_the_one_that_the_host_names(
    candidate: Person, running: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a proxy that writes it; what a candidate writes there themselves is not looked at otherwise."""
    forwarded = {"X-Forwarded-For": "203.0.113.9", "X-Real-Ip": "203.0.113.9"}
    candidate.post(f"/attempts/{running.pk}/heartbeat/", {}, **forwarded)
    assert Presence.objects.get().ip == "127.0.0.1"

    monkeypatch.setattr("tests.api.hosts.CourseHost.client_address", lambda self, meta: meta["HTTP_X_REAL_IP"])
    candidate.post(f"/attempts/{running.pk}/heartbeat/", {}, **forwarded)
    assert Presence.objects.get().ip == "203.0.113.9"
