"""Promises to vendors: kept in order, at least once, and never more often than is good for anybody."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from proctoring.errors import BackendError, Conflict, LeaseLost
from proctoring.outbox import circuits
from proctoring.outbox import services as outbox
from proctoring.outbox.models import Circuit, Delivery, DeliveryStatus, DeliveryTarget, Operation
from proctoring.signals import delivery_promised
from tests.attempts.racing import TIMES, race
from tests.factories import TEN, DeliveryFactory, at
from tests.hosts import configure
from tests.outbox.claiming import claimed

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def fail(delivery: Delivery, now: datetime, **error: Any) -> None:
    [row] = [row for row in outbox.claim_due(now=now, limit=100) if row.pk == delivery.pk]
    outbox.settle_failure(row, BackendError("away", **error), now=now)


def promise(key: str = "key", **fields: Any) -> Delivery:
    return outbox.promise_call(
        **{
            "backend": "vendor",
            "operation": Operation.REPORT_STARTED,
            "target": DeliveryTarget.ATTEMPT,
            "target_id": 1,
            "key": key,
            "now": TEN,
            **fields,
        }
    )


def test_a_promise_is_due_at_once_and_kept_under_its_key() -> None:
    delivery = promise()
    assert claimed() == [delivery.pk]
    with pytest.raises(IntegrityError), transaction.atomic():
        promise()


def test_a_promise_in_a_transaction_that_is_undone_leaves_nothing(
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks() as callbacks, transaction.atomic():
        promise()
        transaction.set_rollback(True)
    assert (Delivery.objects.count(), callbacks) == (0, [])


@pytest.mark.parametrize("tells_keys", [True, False])
def test_many_promises_are_one_statement_and_keep_their_order(
    tells_keys: bool, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    if not tells_keys:  # as MySQL
        monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)
    tells_keys = connection.features.can_return_rows_from_bulk_insert
    heard: list[int] = []

    def hear(delivery: Delivery, **_: Any) -> None:
        heard.append(delivery.pk)

    target = {"operation": Operation.REPORT_STARTED, "target": DeliveryTarget.ATTEMPT, "target_id": 1}
    owed = [outbox.owed_call(backend="vendor", key=key, **target) for key in "dacb"]
    delivery_promised.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True), CaptureQueriesContext(connection) as statements:
            outbox.promise_all([owed[0], None, *owed[1:]])
    finally:
        delivery_promised.disconnect(hear)
    rows = list(Delivery.objects.order_by("pk"))
    assert [row.key for row in rows] == ["d", "a", "c", "b"]
    assert [row.pk for row in rows] == [one.pk for one in owed] == heard
    began = [query["sql"].split()[0] for query in statements.captured_queries]
    assert (began.count("INSERT"), began.count("SELECT")) == (1, 0 if tells_keys else 1)


def test_nothing_owed_costs_nothing(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        outbox.promise_all([None])


def test_deliveries_of_one_target_go_in_order_and_others_do_not_wait() -> None:
    first, second = DeliveryFactory(target_id=1), DeliveryFactory(target_id=1)
    other = DeliveryFactory(target_id=2)
    exam = DeliveryFactory(target_id=1, target=DeliveryTarget.EXAM, operation=Operation.REGISTER_EXAM)
    rows = {row.pk: row for row in outbox.claim_due(now=TEN, limit=100)}
    assert set(rows) == {first.pk, other.pk, exam.pk}
    assert claimed() == []
    outbox.settle_success(rows[first.pk], now=TEN, duration_ms=3)
    assert claimed() == [second.pk]


def test_a_delivery_that_waits_for_its_next_try_holds_up_those_behind_it() -> None:
    first = DeliveryFactory(target_id=1, next_try_at=at(10, 30))
    DeliveryFactory(target_id=1)
    assert claimed(at(10, 1)) == []
    assert claimed(at(10, 30)) == [first.pk]


def test_a_question_holds_nothing_up() -> None:
    question = DeliveryFactory(target_id=1, operation=Operation.FETCH_LAUNCH, next_try_at=at(10, 1))
    report = DeliveryFactory(target_id=1)
    assert claimed() == [report.pk]
    assert claimed(at(10, 1)) == [question.pk]


def test_a_registration_that_was_given_up_holds_up_what_makes_no_sense_without_it() -> None:
    DeliveryFactory(target_id=1, operation=Operation.REGISTER_ATTEMPT, status=DeliveryStatus.GIVEN_UP)
    DeliveryFactory(target_id=1)
    assert claimed() == []


def test_a_registration_that_was_refused_lets_what_follows_find_out_by_itself() -> None:
    DeliveryFactory(target_id=1, operation=Operation.REGISTER_ATTEMPT, status=DeliveryStatus.FAILED)
    after = DeliveryFactory(target_id=1)
    assert claimed() == [after.pk]


def test_what_is_owed_to_one_vendor_does_not_hold_up_what_is_owed_to_its_successor() -> None:
    DeliveryFactory(target_id=1, backend="old", operation=Operation.REGISTER_EXAM, next_try_at=at(12, 0))
    new = DeliveryFactory(target_id=1, backend="new", operation=Operation.REGISTER_EXAM)
    assert claimed() == [new.pk]


def test_each_vendor_gets_a_fair_share_of_every_claim() -> None:
    rows = [DeliveryFactory.build(pk=None, target_id=n, backend="busy") for n in range(50)]
    Delivery.objects.bulk_create(rows)
    quiet = DeliveryFactory(backend="quiet", target_id=99)
    assert quiet.pk in claimed(limit=10)


def test_a_claim_counts_as_a_try_and_is_given_back_untried() -> None:
    delivery = DeliveryFactory()
    [row] = outbox.claim_due(now=TEN, limit=1)
    assert row.tries == 1
    outbox.release(row)
    delivery.refresh_from_db()
    assert (delivery.tries, delivery.claimed_by, delivery.status) == (0, "", "due")


def test_only_the_holder_of_a_lease_renews_it() -> None:
    DeliveryFactory()
    [slow] = outbox.claim_due(now=TEN, limit=1, worker="slow")
    outbox.renew(slow, now=at(10, 1))
    assert claimed(at(10, 2)) == []
    [quick] = outbox.claim_due(now=at(10, 30), limit=1, worker="quick")
    with pytest.raises(LeaseLost):
        outbox.renew(slow, now=at(10, 30))
    outbox.renew(quick, now=at(10, 30))


def test_it_is_known_whether_the_vendor_has_heard_of_something_later() -> None:
    earlier, later = DeliveryFactory(target_id=1), DeliveryFactory(target_id=1)
    assert not outbox.later_is_done(earlier)
    Delivery.objects.filter(pk=later.pk).update(status=DeliveryStatus.DONE)
    assert outbox.later_is_done(earlier)
    assert not outbox.later_is_done(later)


@pytest.mark.parametrize("status", [DeliveryStatus.GIVEN_UP, DeliveryStatus.FAILED, DeliveryStatus.SUPERSEDED, "done"])
def test_other_deliveries_that_are_over_step_aside(status: str) -> None:
    DeliveryFactory(target_id=1, operation=Operation.REPORT_STARTED, status=status)
    after = DeliveryFactory(target_id=1, operation=Operation.REPORT_SUBMITTED)
    assert claimed() == [after.pk]


def test_a_worker_takes_the_oldest_and_no_more_than_it_asked_for() -> None:
    late = DeliveryFactory(next_try_at=TEN)
    early = DeliveryFactory(next_try_at=TEN - SECOND)
    DeliveryFactory(next_try_at=TEN + SECOND)
    assert claimed(limit=1) == [early.pk]
    assert claimed() == [late.pk]
    assert claimed() == []


def test_a_lease_runs_out_and_is_taken_again(settings: Any) -> None:
    configure(settings, LEASE_SECONDS=60)
    delivery = DeliveryFactory()
    assert claimed(worker="dead") == [delivery.pk]
    assert claimed(TEN + 59 * SECOND) == []
    assert claimed(TEN + 60 * SECOND, worker="alive") == [delivery.pk]
    delivery.refresh_from_db()
    assert delivery.claimed_by == "alive"


def test_a_worker_that_lost_its_lease_cannot_settle_and_its_answer_is_undone() -> None:
    [mine] = outbox.claim_due(now=TEN, limit=1, worker="slow") if DeliveryFactory() else []
    [theirs] = outbox.claim_due(now=at(10, 30), limit=1, worker="quick")

    def apply_and_settle() -> None:
        with transaction.atomic():
            Circuit.objects.create(backend="the answer")
            outbox.settle_success(mine, now=at(10, 31), duration_ms=1)

    with pytest.raises(LeaseLost):
        apply_and_settle()
    assert not Circuit.objects.exists()
    for settle in (
        lambda: outbox.settle_failure(mine, BackendError("x"), now=at(10, 31)),
        lambda: outbox.settle_moot(mine, why=""),
        lambda: outbox.postpone(mine, why="", until=at(10, 40)),
    ):
        with pytest.raises(LeaseLost):
            settle()
    outbox.settle_success(theirs, now=at(10, 31), duration_ms=5)
    theirs.refresh_from_db()
    assert (theirs.status, theirs.done_at, theirs.duration_ms, theirs.claimed_by) == ("done", at(10, 31), 5, "")


def test_a_settled_delivery_is_not_settled_again() -> None:
    DeliveryFactory()
    [row] = outbox.claim_due(now=TEN, limit=1)
    outbox.settle_success(row, now=TEN, duration_ms=1)
    with pytest.raises(LeaseLost):
        outbox.settle_success(row, now=TEN, duration_ms=1)


@pytest.mark.parametrize(("tries", "ceiling"), [(1, 5), (2, 10), (3, 20), (10, 2560), (11, 3600), (500, 3600)])
def test_the_pause_doubles_up_to_an_hour_with_jitter(tries: int, ceiling: float) -> None:
    pauses = {outbox.backoff(tries).total_seconds() for _ in range(50)}
    assert ceiling / 2 <= min(pauses) <= max(pauses) <= ceiling
    assert len(pauses) > 40


def test_the_vendors_own_wish_is_honoured_within_reason() -> None:
    assert outbox.backoff(1, 120).total_seconds() == 120
    assert outbox.backoff(1, 0.5).total_seconds() >= 2.5
    assert outbox.backoff(1, 1e300) <= timedelta(days=1)
    assert outbox.backoff(1, float("inf")) <= timedelta(days=1)
    assert timedelta(0) < outbox.backoff(1, float("nan")) <= timedelta(days=1)


def test_a_failure_is_noted_and_tried_again_later() -> None:
    delivery = DeliveryFactory()
    fail(delivery, TEN)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.tries, delivery.claimed_until, delivery.claimed_by) == ("due", 1, None, "")
    assert delivery.last_error == "BackendError: away"
    assert TEN + 2 * SECOND <= delivery.next_try_at <= TEN + 5 * SECOND
    fail(delivery, TEN + 5 * SECOND, retry_after=600)
    delivery.refresh_from_db()
    assert (delivery.tries, delivery.next_try_at) == (2, TEN + 605 * SECOND)


def test_a_refusal_is_not_tried_again() -> None:
    delivery = DeliveryFactory()
    fail(delivery, TEN, retryable=False)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.tries) == ("failed", 1)
    assert claimed(at(23, 0)) == []


def test_after_its_last_try_a_delivery_is_given_up_and_a_person_can_repeat_it(settings: Any) -> None:
    configure(settings, DELIVERY_MAX_TRIES=2)
    delivery = DeliveryFactory()
    with pytest.raises(Conflict) as refused:
        outbox.repeat(delivery)
    assert refused.value.code == "not_repeatable"
    fail(delivery, TEN)
    fail(delivery, at(10, 1))
    delivery.refresh_from_db()
    assert (delivery.status, delivery.tries) == ("given_up", 2)
    outbox.repeat(delivery, now=at(10, 2))
    assert (delivery.status, delivery.tries, delivery.next_try_at) == ("due", 0, at(10, 2))
    assert claimed(at(10, 2)) == [delivery.pk]


def test_an_error_of_any_length_fits() -> None:
    delivery = DeliveryFactory()
    [row] = outbox.claim_due(now=TEN, limit=1)
    outbox.settle_failure(row, BackendError("é" * 100_000), now=TEN)
    delivery.refresh_from_db()
    assert len(delivery.last_error) == circuits.MAX_ERROR_LENGTH


def test_waiting_for_something_else_counts_no_try() -> None:
    delivery = DeliveryFactory()
    [row] = outbox.claim_due(now=TEN, limit=1)
    outbox.postpone(row, why="the exam comes first", until=at(10, 5))
    delivery.refresh_from_db()
    assert (delivery.tries, delivery.next_try_at, delivery.last_error) == (0, at(10, 5), "the exam comes first")
    outbox.wake(operation=delivery.operation, target=delivery.target, target_ids=[delivery.target_id], now=at(10, 1))
    assert claimed(at(10, 1)) == [delivery.pk]


def test_a_newer_promise_takes_back_the_one_that_waits_but_not_the_one_in_hand() -> None:
    register = {"operation": Operation.REGISTER_EXAM, "target": DeliveryTarget.EXAM, "target_id": 1}
    in_hand = DeliveryFactory(**register)
    assert claimed() == [in_hand.pk]
    waiting, other = DeliveryFactory(**register), DeliveryFactory(**register | {"target_id": 2})
    assert outbox.supersede_waiting(**register) == 1
    statuses = dict(Delivery.objects.values_list("pk", "status"))
    assert statuses == {in_hand.pk: "due", waiting.pk: "superseded", other.pk: "due"}


def test_what_is_owed_is_counted_for_each_vendor() -> None:
    for status in DeliveryStatus:
        DeliveryFactory(status=status)
    DeliveryFactory(backend="other")
    assert outbox.owed_by_backend() == {"vendor": {"due": 1, "failed": 1, "given_up": 1}, "other": {"due": 1}}


def test_claiming_costs_the_same_for_one_row_and_for_five_hundred() -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert claimed(limit=500)
        return len(queries)

    DeliveryFactory()
    one = statements()
    Delivery.objects.all().delete()
    rows = [DeliveryFactory.build(pk=None, target_id=n) for n in range(500)]
    Delivery.objects.bulk_create(rows)
    assert statements() == one
    assert one == 5  # circuits, vendors, one for each vendor, the claim, its rows


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_two_workers_never_share_a_delivery() -> None:
    for turn in range(TIMES):
        Delivery.objects.bulk_create(DeliveryFactory.build(pk=None, target_id=n, key=f"{turn}-{n}") for n in range(20))
        answers = race(*[lambda: [row.pk for row in outbox.claim_due(now=TEN, limit=15)]] * 3)
        taken = [pk for answer in answers for pk in answer]
        assert len(taken) == len(set(taken))
        assert taken
        Delivery.objects.all().delete()
