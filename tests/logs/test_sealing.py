"""Seals over the log of attempts: when, over what, and that nothing is sealed twice or left out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from proctoring import tasks
from proctoring.attempts import sealing as sweep
from proctoring.attempts import services
from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.sealing import seal_attempt, seal_due
from proctoring.attempts.states import Actor, Status
from proctoring.attempts.timing import EntryKind, EntryState
from proctoring.beat import SCHEDULE
from proctoring.logs import sealing
from proctoring.logs.event_types import Source
from proctoring.logs.intake import Reporter, take_in
from proctoring.logs.models import Event, EventActor, Seal
from proctoring.logs.sealing import PERSONAL, PUBLIC, facts_of, inner_hash, leaf_of, personal_part, public_part
from proctoring.logs.services import event_of, record, record_together
from proctoring.privacy.erasure import erase_user
from proctoring.privacy.rules import RULES
from proctoring.signals import log_sealed
from proctoring.verify.merkle import Tree, actor_hash, leaf_hash, seal_root
from tests.attempts.racing import kinds, race
from tests.factories import TEN, AttemptFactory, EventFactory, UserFactory, at

pytestmark = pytest.mark.django_db

NEXT_DAY = TEN + timedelta(hours=25)


def days(number: int) -> datetime:
    return TEN + timedelta(days=number)


@pytest.fixture
def attempt() -> Attempt:
    """Ended at 10:20, with three events."""
    attempt = AttemptFactory(status=Status.SUBMITTED)
    for minute, type_ in ((0, 1002), (5, 16), (20, 1007)):
        EventFactory(attempt=attempt, type=type_, at=at(10, minute), reason_message="a word", ip="192.0.2.7")
    return attempt


def seals(attempt: Attempt) -> list[Seal]:
    return list(Seal.objects.filter(attempt=attempt).order_by("number"))


def leaves(*events: Event) -> bytes:
    tree = Tree()
    for event in events:
        tree.add(leaf_of(event))
    return tree.root()


def late(attempt: Attempt, now: datetime, name: str = "late") -> None:
    row = {"message_id": name, "type": 16, "occurred_at": now.isoformat()}
    attempt = Attempt.objects.get(pk=attempt.pk)
    assert take_in(attempt, [row], Reporter(source=Source.VENDOR), now=now).stored == 1


class TestWhen:
    def test_a_day_after_the_last_event_of_an_ended_attempt(self, attempt: Attempt) -> None:
        events = list(attempt.events.order_by("pk"))
        seal_due(now=at(10, 19) + timedelta(days=1))
        assert seals(attempt) == []
        seal_due(now=at(10, 20) + timedelta(days=1))
        [seal] = seals(attempt)
        assert (seal.number, seal.count, seal.previous_root, seal.algorithm) == (1, 3, "", 1)
        assert (seal.first_event, seal.last_event) == (events[0].pk, events[-1].pk)
        assert seal.root == seal_root(facts_of(seal), leaves(*events)).hex()
        assert list(seal.places()) == [(event.pk, leaf_of(event)) for event in events]

    def test_the_setting_says_how_long(self, attempt: Attempt, settings: Any) -> None:
        settings.PROCTORING = {**settings.PROCTORING, "SEAL_AFTER_HOURS": 48}
        seal_due(now=NEXT_DAY)
        assert seals(attempt) == []
        attempt.refresh_from_db()
        assert attempt.seal_due_at == at(10, 20) + timedelta(hours=48)

    def test_not_before_the_attempt_has_ended(self) -> None:
        running = AttemptFactory(status=Status.STARTED)
        EventFactory(attempt=running, type=1002)
        assert seal_due(now=days(30)) is None
        assert not Seal.objects.exists()

    def test_nothing_is_sealed_where_nothing_happened(self) -> None:
        attempt = AttemptFactory(status=Status.SUBMITTED)
        seal_due(now=NEXT_DAY)
        attempt.refresh_from_db()
        assert (seals(attempt), attempt.seal_due_at) == ([], None)

    def test_a_whole_life_by_the_services(self) -> None:
        person = UserFactory()
        attempt = AttemptFactory(status=Status.STARTED, user=person)
        services.submit_attempt(attempt, by=person, now=at(10, 30))
        attempt.refresh_from_db()
        assert attempt.seal_due_at == at(10, 30) + timedelta(days=1)
        tasks.seal_logs()
        [seal] = seals(attempt)
        assert seal.count == attempt.events.count() - 1

    def test_the_task_runs_by_itself(self) -> None:
        assert SCHEDULE["proctoring-seal-logs"]["task"] == "proctoring.seal_logs"


class TestTheNext:
    def test_late_events_form_the_next_seal_over_the_first(self, attempt: Attempt) -> None:
        seal_due(now=NEXT_DAY)
        late(attempt, days(3))
        seal_due(now=days(3) + timedelta(hours=23))
        assert len(seals(attempt)) == 1
        seal_due(now=days(4))
        first, second = seals(attempt)
        assert (second.number, second.previous_root) == (2, first.root)
        # The note of the first seal, and the event.
        note, event = Event.objects.filter(pk__gt=first.last_event, pk__lte=second.last_event).order_by("pk")
        assert (note.type, note.message_id, event.message_id) == (1063, "s:seal:1", "late")
        assert second.root == seal_root(facts_of(second), leaves(note, event)).hex()

    def test_the_note_that_a_log_was_sealed_makes_no_seal(self, attempt: Attempt) -> None:
        for number in range(1, 30):
            seal_due(now=days(number))
        assert len(seals(attempt)) == 1
        assert [event.message_id for event in attempt.events.filter(type=1063)] == ["s:seal:1"]
        attempt.refresh_from_db()
        assert attempt.seal_due_at is None

    def test_what_our_services_write_late_is_sealed_too(self, attempt: Attempt) -> None:
        seal_due(now=NEXT_DAY)
        attempt.refresh_from_db()
        services.void_attempt(attempt, by=UserFactory(), actor=Actor.STAFF, reason="10030: noise", now=days(5))
        record(attempt, 1062, actor="proctor", now=days(6), by=UserFactory())  # type: ignore[arg-type]
        seal_due(now=days(6))
        assert len(seals(attempt)) == 1
        seal_due(now=days(7))
        assert [seal.count for seal in seals(attempt)] == [3, 3]

    @pytest.mark.parametrize("how", ["corrected", "reversed", "granted", "refused"])
    def test_time_that_is_decided_after_the_seal_is_sealed_too(self, attempt: Attempt, how: str) -> None:
        kind, state = (EntryKind.EXTRA_TIME, EntryState.APPLIED)
        if how in ("granted", "refused"):
            kind, state = EntryKind.OUTAGE, EntryState.PROPOSED
        entry = TimeEntry.objects.create(attempt=attempt, kind=kind, state=state, seconds=60, at=at(10, 10))
        seal_due(now=NEXT_DAY)
        attempt.refresh_from_db()
        said: Any = {"by": UserFactory(), "reason_code": None, "note": "a word", "now": days(5)}
        if how == "corrected":
            services.correct_time(attempt, seconds=60, **said)
        elif how == "reversed":
            services.reverse_time(attempt, entry=entry, **said)
        else:
            services.decide_outage(attempt, entry=entry, accept=how == "granted", **said)
        seal_due(now=days(6))
        assert [seal.count for seal in seals(attempt)] == [3, 2]

    def test_more_than_one_seal_holds_goes_into_several_at_once(
        self, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sealing, "MOST", 2)
        monkeypatch.setattr(sealing, "BATCH", 1)
        sealed = list(attempt.events.order_by("pk"))
        seal_due(now=NEXT_DAY)
        first, second = seals(attempt)
        assert (first.count, second.count, second.previous_root) == (2, 2, first.root)
        assert [key for key, _leaf in second.places()] == [sealed[2].pk, attempt.events.get(message_id="s:seal:1").pk]
        seal_due(now=days(9))
        assert len(seals(attempt)) == 2

    def test_one_that_cannot_be_sealed_keeps_no_other_waiting(
        self, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = AttemptFactory(status=Status.SUBMITTED)
        EventFactory(attempt=other)
        real = sweep.seal_attempt

        def fail(key: int, *, now: datetime) -> Any:
            if key == attempt.pk:
                raise RuntimeError
            return real(key, now=now)

        monkeypatch.setattr(sweep, "seal_attempt", fail)
        seal_due(now=NEXT_DAY)
        assert (len(seals(attempt)), len(seals(other))) == (0, 1)
        monkeypatch.undo()
        seal_due(now=NEXT_DAY)
        assert len(seals(attempt)) == 1


class TestWhatIsSealed:
    def test_every_field_is_public_or_personal_or_only_serves(self) -> None:
        fields = {field.name for field in Event._meta.concrete_fields}
        assert fields - {*PUBLIC, *PERSONAL} == {"salt", "personal_hash", "actor_user"}
        assert {*PUBLIC, *PERSONAL} <= fields
        assert {*PERSONAL} == {*RULES[Event].personal}
        event = EventFactory()
        assert tuple(public_part(event)) == PUBLIC
        assert tuple(personal_part(event)) == PERSONAL

    @pytest.mark.parametrize("name", [*PUBLIC, *PERSONAL])
    def test_no_field_can_change_without_changing_the_leaf(self, name: str) -> None:
        event = EventFactory(data={"a": 1}, ip="192.0.2.7")
        before = leaf_of(event)
        field = Event._meta.get_field(name)
        other: Any = {"ip": "192.0.2.8", "data": {"a": 2}, "actor_hash": b"x" * 32}.get(name)
        if other is None:
            is_time, is_text = (
                isinstance(field, models.DateTimeField),
                isinstance(field, models.CharField | models.TextField),
            )
            other = at(11, 0, 0, 1) if is_time else "other" if is_text else 4711
        setattr(event, field.attname if field.is_relation else name, other)  # type: ignore[union-attr]
        assert leaf_of(event) != before

    def test_each_event_has_a_salt_of_its_own_in_bulk_too(self, attempt: Attempt) -> None:
        rows = [{"message_id": f"m-{n}", "type": 16, "occurred_at": TEN.isoformat()} for n in range(5)]
        take_in(attempt, rows, Reporter(source=Source.VENDOR), now=TEN)
        salts = {bytes(event.salt or b"") for event in Event.objects.all()}
        assert (len(salts), {len(salt) for salt in salts}) == (8, {16})

    def test_who_acted_is_in_the_leaf_and_their_account_may_go(self, attempt: Attempt) -> None:
        proctor = UserFactory()
        record(attempt, 1017, actor="proctor", now=at(10, 10), by=proctor)  # type: ignore[arg-type]
        event = Event.objects.get(type=1017)
        assert len(bytes(event.actor_hash or b"")) == 32
        before = leaf_of(event)
        proctor.delete()
        event = Event.objects.get(type=1017)
        assert (event.actor_user, leaf_of(event)) == (None, before)

    def test_who_acted_is_known_of_many_events_at_once(self, attempt: Attempt) -> None:
        other, proctor = AttemptFactory(status=Status.SUBMITTED, seal_due_at=None), UserFactory()
        by = {"actor": EventActor.PROCTOR, "by": proctor, "now": at(10, 30)}
        record_together([event_of(one, 1017, **by) for one in (attempt, other, attempt)])  # type: ignore[arg-type]
        for event in Event.objects.filter(type=1017):
            assert bytes(event.actor_hash or b"") == actor_hash(bytes(event.salt or b""), str(proctor.pk))
        other.refresh_from_db()
        assert other.seal_due_at == at(10, 30) + timedelta(days=1)

    def test_a_seal_is_never_changed_or_deleted(self, attempt: Attempt) -> None:
        seal_due(now=NEXT_DAY)
        [seal] = seals(attempt)
        for act in (seal.save, seal.delete, Seal.objects.all().delete, lambda: Seal.objects.update(root="")):
            with pytest.raises(TypeError):
                act()

    def test_it_is_announced_with_its_root(self, attempt: Attempt, django_capture_on_commit_callbacks: Any) -> None:
        heard = []

        def hear(seal: Seal, **_: Any) -> None:
            heard.append(seal.root)

        log_sealed.connect(hear)
        try:
            with django_capture_on_commit_callbacks(execute=True):
                seal_due(now=NEXT_DAY)
        finally:
            log_sealed.disconnect(hear)
        assert heard == [seals(attempt)[0].root]


AWKWARD = {
    "b": [1.0, 1e16, -0.0, 1e-7, 0.1, 10**17, 1e300],
    "a": {"ü": '🙂\u2028\n\t"\\/', "\uffff": None, "😀": True, "": [], "z": {}},
}
VECTOR = "56d8d33b6308a4bd65316000819142239267e52160a22a1d7d6f429054ccaa34"


def test_the_same_events_have_the_same_leaf_on_every_database(attempt: Attempt) -> None:
    """What is stored and read again is written in one way, whatever the database made of it."""
    event = EventFactory(
        attempt=attempt,
        at=at(10, 3, 7, 123456),
        occurred_at=at(10, 3, 7),
        salt=bytes(range(16)),
        data=AWKWARD,
        ip="2001:db8::7",
        item_id="ünit ",
        reason_message="Zeile 1\r\nZeile 2 ",
        sequence=2**53,
        backend="vendor",
        severity="notice",
        message_id="m:1",
        status="started",
    )
    kept = Event.objects.get(pk=event.pk)
    public = {**public_part(kept), "id": 1, "exam": 2, "attempt": 3}
    assert leaf_hash(public, inner_hash(kept)).hex() == VECTOR
    assert public["at"] == "2026-03-02T10:03:07.123456Z"
    assert public["occurred_at"] == "2026-03-02T10:03:07.000000Z"
    assert personal_part(kept)["ip"] == "2001:0db8:0000:0000:0000:0000:0000:0007"


def test_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts due; of each its lock, the last seal, the newest event, keys, events, the seal, the note, the end."""
    costs = []
    for number in (1, 40):
        attempt = AttemptFactory(status=Status.SUBMITTED)
        for _ in range(number):
            EventFactory(attempt=attempt, ip="192.0.2.7")
        with CaptureQueriesContext(connection) as captured:
            seal_attempt(attempt.pk, now=NEXT_DAY)
        costs.append(sum(one["sql"].split()[0] in ("SELECT", "INSERT", "UPDATE") for one in captured.captured_queries))
    assert costs == [8, 8]


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_two_sweeps_make_one_seal(self) -> None:
        for _ in range(8):
            attempt = AttemptFactory(status=Status.SUBMITTED)
            for _ in range(20):
                EventFactory(attempt=attempt)
            answers = race(*[lambda: seal_due(now=NEXT_DAY)] * 2)
            assert kinds(answers) == ["ok", "ok"], answers
            assert [seal.count for seal in seals(attempt)] == [20]
            assert attempt.events.filter(type=1063).count() == 1

    def test_an_event_that_comes_meanwhile_is_in_this_seal_or_the_next(self) -> None:
        for number in range(8):
            attempt = AttemptFactory(status=Status.SUBMITTED)
            for _ in range(20):
                EventFactory(attempt=attempt)
            race(
                lambda: seal_due(now=NEXT_DAY),
                lambda: services_report(attempt, f"late-{number}"),  # noqa: B023 - run at once
            )
            seal_due(now=NEXT_DAY + timedelta(days=2))
            held = [key for seal in seals(attempt) for key, _leaf in seal.places()]
            wanted = attempt.events.order_by("pk").values_list("pk", flat=True)
            assert held == list(wanted)[: len(held)]
            assert Event.objects.get(message_id=f"late-{number}").pk in held

    def test_an_erasure_meanwhile_alters_nothing(self) -> None:
        officer = UserFactory(is_superuser=True)
        for _ in range(8):
            attempt = AttemptFactory(status=Status.SUBMITTED)
            for _ in range(20):
                EventFactory(attempt=attempt, ip="192.0.2.7")
            race(
                lambda: seal_due(now=NEXT_DAY),
                lambda: erase_user(attempt.user, by=officer, reason="asked", now=NEXT_DAY),  # noqa: B023 - run at once
            )
            # Whoever found it locked comes later.
            seal_due(now=NEXT_DAY)
            [seal] = seals(attempt)
            events = attempt.events.filter(pk__lte=seal.last_event).order_by("pk")
            assert list(seal.places()) == [(event.pk, leaf_of(event)) for event in events]
            assert not events.filter(personal_hash=None).exists()


def services_report(attempt: Attempt, name: str) -> None:
    from proctoring.attempts.reporting import report_events

    row = {"message_id": name, "type": 16, "occurred_at": NEXT_DAY.isoformat()}
    report_events(attempt, [row], Reporter(source=Source.VENDOR), now=NEXT_DAY)
