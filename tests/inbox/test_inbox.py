"""What came in is kept once, encrypted, and handed to one worker at a time."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.errors import Conflict, LeaseLost, NotConfigured, UnknownExternalId
from proctoring.inbox import sealing
from proctoring.inbox import services as inbox
from proctoring.inbox.models import MessageQuerySet, MessageStatus, WebhookMessage
from tests.attempts.racing import TIMES, race
from tests.factories import TEN, MessageFactory, at
from tests.hosts import configure

pytestmark = pytest.mark.django_db

BODY = '{"video": "https://vendor.example/recording", "name": "Ada Lovelace ü"}'.encode()
DAY = timedelta(hours=24)


def store(body: bytes = BODY, **changes: Any) -> tuple[WebhookMessage, bool]:
    return inbox.store_message(
        **{"backend": "vendor", "delivery_id": "msg-1", "body": body, "headers": {}, "now": TEN, **changes}
    )


def claim(now: datetime = TEN, worker: str | None = None) -> WebhookMessage:
    [message] = inbox.claim_due(now=now, limit=10, worker=worker)
    return message


def test_a_message_is_kept_once_for_its_sender_id_and_body() -> None:
    message, new = store()
    assert new
    assert (message.status, message.next_try_at, message.give_up_at) == ("received", TEN, TEN + DAY)
    assert store(now=at(11, 0)) == (message, False)
    for changes in ({"body": b"other"}, {"delivery_id": "msg-2"}, {"backend": "second"}):
        assert store(**changes)[1] is True
    assert WebhookMessage.objects.count() == 4


def test_a_body_is_encrypted_at_rest_and_comes_back_as_it_was_signed() -> None:
    message, _ = store()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM proctoring_webhookmessage")
        [row] = cursor.fetchall()
    raw = b" ".join(bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode() for cell in row)
    for secret in (b"recording", b"Lovelace", BODY):
        assert secret not in raw
    kept = WebhookMessage.objects.get(pk=message.pk)
    assert (kept.body, kept.sha256) == (BODY, hashlib.sha256(BODY).hexdigest())


@pytest.mark.parametrize("body", [b"", b"\x00\xff", "ü".encode("utf-16"), b"x" * 1_000_000])
def test_any_bytes_are_kept_as_they_are(body: bytes) -> None:
    message, _ = store(body)
    assert WebhookMessage.objects.get(pk=message.pk).body == body


def test_keys_rotate_and_a_lost_key_is_said(settings: Any) -> None:
    old, new = "o" * 40, "n" * 40
    configure(settings, ENCRYPTION_KEYS=[old])
    message, _ = store()
    configure(settings, ENCRYPTION_KEYS=[new, old])
    assert message.body == BODY
    configure(settings, ENCRYPTION_KEYS=[new])
    with pytest.raises(NotConfigured):
        message.body  # noqa: B018 - reading is what is tested


def test_without_a_key_nothing_is_kept(settings: Any) -> None:
    configure(settings, ENCRYPTION_KEYS=[])
    with pytest.raises(NotConfigured):
        store()
    assert not WebhookMessage.objects.exists()


def test_an_encrypted_text_is_good_for_its_own_row_alone() -> None:
    one, two = store(b"one")[0], store(b"two")[0]
    WebhookMessage.objects.filter(pk=one.pk).update(sealed_body=bytes(two.sealed_body))
    one.refresh_from_db()
    with pytest.raises(NotConfigured, match="another row"):
        one.body  # noqa: B018 - reading is what is tested
    assert sealing.seal(b"x", context="a") != sealing.seal(b"x", context="a")


def test_headers_that_may_be_secret_are_not_kept() -> None:
    headers = {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "x" * 1000,
        "authorization": "JWT secret",
        "webhook-signature": "v1,secret",
        "cookie": "secret",
        "x-vendor-secret": "secret",
        "webhook-id": "msg-1",
    }
    message, _ = store(headers=headers)
    message.refresh_from_db()
    assert set(message.headers) == {"content-type", "user-agent", "webhook-id"}
    assert len(message.headers["user-agent"]) == 255


def test_what_nobody_will_ever_understand_is_quarantined_at_once() -> None:
    message, _ = store()
    inbox.quarantine_malformed(message, "no JSON")
    message.refresh_from_db()
    assert (message.status, message.error, message.next_try_at) == ("quarantined", "no JSON", None)
    assert inbox.claim_due(now=at(23, 0), limit=10) == []


def test_messages_are_taken_oldest_first_by_one_worker_and_again_when_its_lease_is_over(settings: Any) -> None:
    configure(settings, LEASE_SECONDS=60)
    late, early = MessageFactory(next_try_at=at(10, 0)), MessageFactory(next_try_at=at(9, 0))
    assert inbox.claim_due(now=at(10, 0), limit=1) == [early]
    assert inbox.claim_due(now=at(10, 0), limit=1) == [late]
    assert inbox.claim_due(now=at(10, 0, 59), limit=10) == []
    assert set(inbox.claim_due(now=at(10, 1), limit=10)) == {early, late}


def test_taking_many_costs_two_statements(django_assert_num_queries: Any) -> None:
    kept = {MessageFactory().pk for _ in range(5)}
    with django_assert_num_queries(2):
        rows = inbox.claim_due(now=TEN, limit=10, worker="me")
    assert [row.pk for row in rows] == sorted(kept)
    for row in rows:
        stored = WebhookMessage.objects.get(pk=row.pk)
        claim = (stored.claimed_until, stored.claimed_by, stored.tries)
        assert (row.claimed_until, row.claimed_by, row.tries) == claim == (claim[0], "me", 1)


def test_what_another_worker_takes_in_between_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lost, won = MessageFactory(), MessageFactory()
    looks: list[datetime] = []
    real = MessageQuerySet.claimable

    def claimable(self: MessageQuerySet, now: datetime) -> MessageQuerySet:
        looks.append(now)
        if len(looks) == 2:
            WebhookMessage.objects.filter(pk=lost.pk).update(claimed_until=at(11, 0), claimed_by="other", tries=1)
        return real(self, now)

    monkeypatch.setattr(MessageQuerySet, "claimable", claimable)
    [row] = inbox.claim_due(now=TEN, limit=10, worker="me")
    assert (row.pk, row.claimed_by, row.tries) == (won.pk, "me", 1)
    assert WebhookMessage.objects.get(pk=lost.pk).claimed_by == "other"


@pytest.mark.parametrize("status", [MessageStatus.PROCESSED, MessageStatus.IGNORED, MessageStatus.QUARANTINED])
def test_messages_that_are_done_with_are_not_taken(status: str) -> None:
    MessageFactory(status=status)
    assert inbox.claim_due(now=at(10, 0), limit=10) == []


def test_a_settled_message_says_what_became_of_it() -> None:
    MessageFactory()
    message = claim()
    inbox.settle(message, MessageStatus.IGNORED, now=at(10, 1), why="e" * 9000, sent_at=at(9, 0), type_="t" * 500)
    message.refresh_from_db()
    assert (message.status, message.processed_at, message.tries, message.sent_at) == ("ignored", at(10, 1), 1, at(9, 0))
    assert (len(message.error), len(message.type), message.claimed_until) == (2000, 100, None)


def test_a_worker_that_lost_its_lease_settles_nothing() -> None:
    MessageFactory()
    slow = claim(worker="slow")
    claim(at(10, 30), worker="quick")
    for settle in (
        lambda: inbox.settle(slow, MessageStatus.PROCESSED, now=at(10, 31)),
        lambda: inbox.settle_unknown_id(slow, UnknownExternalId("x"), now=at(10, 31)),
        lambda: inbox.settle_failure(slow, "broken", now=at(10, 31)),
    ):
        with pytest.raises(LeaseLost):
            settle()


def test_an_unknown_id_is_waited_for_a_day_and_then_quarantined() -> None:
    message = MessageFactory()
    now, looks = TEN, 0
    while now < TEN + DAY:
        inbox.settle_unknown_id(claim(now), UnknownExternalId("ext-9"), now=now)
        message.refresh_from_db()
        assert (message.status, message.waits_for, message.tries) == ("received", "ext-9", 0)
        assert "ext-9" in message.error
        now, looks = message.next_try_at, looks + 1
    inbox.settle_unknown_id(claim(now), UnknownExternalId("ext-9"), now=now)
    message.refresh_from_db()
    assert (message.status, message.processed_at, message.next_try_at) == ("quarantined", now, None)
    assert looks < 70


def test_what_waits_for_an_id_looks_soon_at_first_and_ever_later() -> None:
    store()
    for now, pause in ((TEN, 10), (TEN + timedelta(seconds=40), 40), (at(10, 20), 1200), (at(11, 0), 1800)):
        message = claim(now)
        inbox.settle_unknown_id(message, UnknownExternalId("ext-9"), now=now)
        message.refresh_from_db()
        assert message.next_try_at == now + timedelta(seconds=pause)


def test_how_long_an_unknown_id_is_waited_for_is_a_setting(settings: Any) -> None:
    configure(settings, UNKNOWN_ID_HOURS=2)
    assert store()[0].give_up_at == at(12, 0)


def test_a_new_id_wakes_the_messages_of_its_vendor_that_wait_for_it() -> None:
    waiting, another, foreign = (
        MessageFactory(waits_for="ext-1", next_try_at=at(10, 20)),
        MessageFactory(waits_for="ext-2", next_try_at=at(10, 20)),
        MessageFactory(waits_for="ext-1", next_try_at=at(10, 20), backend="other"),
    )
    assert inbox.wake_waiting("vendor", ["ext-1"], now=TEN) == 1
    assert inbox.claim_due(now=TEN, limit=10) == [waiting]
    for row in (another, foreign):
        row.refresh_from_db()
        assert row.next_try_at == at(10, 20)


def test_a_failure_is_tried_again_and_in_the_end_left_to_people() -> None:
    message = MessageFactory()
    now = TEN
    for _ in range(inbox.MAX_FAILED_TRIES):
        inbox.settle_failure(claim(now), "broken", now=now)
        message.refresh_from_db()
        assert (message.status, message.error) == ("failed", "broken")
        now = message.next_try_at or now
    assert message.next_try_at is None
    assert inbox.claim_due(now=now + DAY, limit=10) == []


def test_a_message_that_kills_its_workers_counts_its_tries() -> None:
    MessageFactory()
    for n in range(3):
        assert claim(TEN + n * DAY).tries == n + 1


@pytest.mark.parametrize("status", list(MessageStatus), ids=str)
def test_a_person_can_have_any_message_processed_again(status: str) -> None:
    message = MessageFactory(status=status, tries=20, next_try_at=None, error="old", processed_at=at(10, 1))
    inbox.replay(message, now=at(12, 0))
    assert (message.status, message.tries, message.error, message.processed_at) == ("received", 0, "", None)
    assert message.give_up_at == at(12, 0) + DAY
    assert claim(at(12, 0)) == message


def test_a_message_in_a_workers_hands_is_not_replayed() -> None:
    MessageFactory()
    message = claim()
    with pytest.raises(Conflict) as refused:
        inbox.replay(message, now=at(10, 1))
    assert refused.value.code == "message_claimed"


def test_a_worker_that_comes_back_from_the_dead_does_not_settle_a_replayed_message() -> None:
    MessageFactory()
    slow = claim(worker="slow")
    message = WebhookMessage.objects.get()
    inbox.replay(message, now=at(12, 0))
    with pytest.raises(LeaseLost):
        inbox.settle(slow, MessageStatus.PROCESSED, now=at(12, 1))
    assert WebhookMessage.objects.get().status == "received"


def test_claiming_costs_the_same_for_one_message_and_for_two_hundred() -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert inbox.claim_due(now=TEN, limit=200)
        return len(queries)

    MessageFactory()
    one = statements()
    WebhookMessage.objects.bulk_create(MessageFactory.build(pk=None) for _ in range(200))
    assert statements() == one <= 3


def test_a_message_that_kills_its_workers_takes_no_other_along() -> None:
    first, killer, last = (MessageFactory() for _ in range(3))
    for minute in range(3):
        # Each time its worker dies, and the leases end.
        now = at(10, 10 * minute)
        assert [row.pk for row in inbox.claim_due(now=now, limit=10)] == [first.pk, killer.pk, last.pk]
    for place, alone in enumerate((first, killer, last)):
        assert inbox.claim_due(now=at(10, 30, place), limit=10) == [alone]


def test_a_fresh_message_is_claimed_without_the_suspect_behind_it() -> None:
    fresh, suspect = MessageFactory(next_try_at=at(9, 0)), MessageFactory(tries=inbox.SUSPECT)
    assert inbox.claim_due(now=TEN, limit=10) == [fresh]
    assert inbox.claim_due(now=TEN, limit=10) == [suspect]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="asks PostgreSQL how it searches")
def test_the_oldest_of_many_messages_are_found_by_an_index_alone() -> None:
    WebhookMessage.objects.bulk_create(MessageFactory.build(pk=None) for _ in range(2000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE proctoring_webhookmessage")
    plan = WebhookMessage.objects.claimable(TEN).order_by("next_try_at", "pk")[:30].explain()
    assert "proctoring_message_due" in plan
    assert "Sort" not in plan


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_a_message_that_arrives_twice_at_once_is_kept_once() -> None:
    for turn in range(TIMES):
        answers = race(*[lambda turn=turn: store(delivery_id=f"msg-{turn}")] * 3)
        assert sorted(new for _, new in answers) == [False, False, True]
        assert WebhookMessage.objects.filter(delivery_id=f"msg-{turn}").count() == 1


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_two_workers_never_share_a_message() -> None:
    for _ in range(TIMES):
        for _ in range(10):
            MessageFactory()
        answers = race(*[lambda: [row.pk for row in inbox.claim_due(now=TEN, limit=8)]] * 3)
        taken = [pk for answer in answers for pk in answer]
        assert taken
        assert len(taken) == len(set(taken))
        WebhookMessage.objects.all().delete()
