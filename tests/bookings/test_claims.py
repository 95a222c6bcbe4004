"""Who has a booking in hand: constant cost however many are due, never two workers at once, never for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from proctoring import tasks
from proctoring.bookings.checking import claim_to_check, hear_of_update
from proctoring.bookings.models import Booking, LiveSession
from proctoring.bookings.sending import claim_to_send
from proctoring.bookings.services import cancel_booking, check_now, confirm_by_hand, reject_by_hand, schedule_booking
from proctoring.bookings.states import Actor
from proctoring.conf import settings as ours
from proctoring.errors import Conflict
from tests.attempts.racing import TIMES, race
from tests.booking_vendor import ALIAS
from tests.bookings.desk import NOW, Vendor, booked, check, deliver, fresh, planner, send, statements, status, vendor_of
from tests.factories import at

Claim = Callable[..., list[Booking]]
CLAIMS = pytest.mark.parametrize(
    ("claim", "due"), [(claim_to_send, "scheduled"), (claim_to_check, "sent"), (claim_to_check, "confirmed")]
)


def copies(booking: Booking, count: int, *, start: int = 2) -> None:
    """So many other parts of its plan, in the same status."""
    fields = {one.attname: getattr(booking, one.attname) for one in Booking._meta.concrete_fields if one.name != "id"}
    Booking.objects.bulk_create(Booking(**{**fields, "part": part}) for part in range(start, start + count))


@CLAIMS
def test_a_claim_is_three_statements_whatever_is_due(vendor: Vendor, claim: Claim, due: str) -> None:
    booking, costs = fresh(booked(due)), []
    for start, more in ((2, 9), (11, 1990)):
        copies(booking, more, start=start)
        costs.append(statements(lambda: claim(ALIAS, now=NOW, limit=5)))
    assert costs == [3, 3]
    assert Booking.objects.exclude(claimed_by="").count() == 10


@CLAIMS
def test_nothing_due_is_one_statement(vendor: Vendor, claim: Claim, due: str) -> None:
    booked(due, claimed_until=NOW + timedelta(seconds=1), claimed_by="another")
    booked(due, backend="another")
    booked(due, next_send_at=at(8, 1), next_check_at=at(8, 1))
    assert statements(lambda: claim(ALIAS, now=NOW, limit=5)) == 1
    assert claim(ALIAS, now=NOW, limit=5) == []


@CLAIMS
def test_a_lease_whose_holder_died_is_taken_again(vendor: Vendor, claim: Claim, due: str) -> None:
    booking = booked(due)
    [first] = claim(ALIAS, now=NOW, limit=5)
    end = NOW + timedelta(seconds=ours.lease_seconds)
    assert claim(ALIAS, now=end - timedelta(seconds=1), limit=5) == []
    [second] = claim(ALIAS, now=end, limit=5)
    assert first == second == booking
    assert first.claimed_by != second.claimed_by
    row = fresh(booking)
    assert (row.send_tries if due == "scheduled" else row.check_count) == 2


def test_the_tasks_go_through_every_vendor_until_nothing_is_due(vendor: Vendor) -> None:
    first = booked()
    copies(fresh(first), 119)
    gone = booked(backend="gone")
    person = first.sessions.get().user
    LiveSession.objects.bulk_create(
        LiveSession(booking=one, exam=one.exam, user=person, candidate_number=1, backend=ALIAS)
        for one in Booking.objects.filter(plan=first.plan).exclude(pk=first.pk)
    )
    assert tasks.send_bookings() == 121
    assert [len(batch) for batch in vendor.batches] == [50, 50, 20]
    assert fresh(gone).last_error.startswith("BackendError")
    assert Counter(Booking.objects.values_list("status", flat=True)) == {"sent": 120, "scheduled": 1}


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    @pytest.fixture(autouse=True)
    def _vendor(self, settings: Any) -> None:
        self.vendor = vendor_of(settings)

    @CLAIMS
    def test_sweeps_never_share_a_booking(self, claim: Claim, due: str) -> None:
        booking = booked(due)
        copies(fresh(booking), 39)
        for n in range(TIMES):
            now = NOW + timedelta(minutes=5 * n)
            answers = race(*[lambda now=now: claim(ALIAS, now=now, limit=15)] * 4)  # type: ignore[misc]
            assert not [one for one in answers if isinstance(one, Exception)]
            taken = [one.pk for claimed in answers for one in claimed]
            assert len(taken) == len(set(taken)) <= 40
            assert len(taken) >= 15

    def test_each_booking_is_sent_once(self, clock: Any) -> None:
        for _ in range(TIMES // 4):
            self.vendor.batches.clear()
            bookings = [booked() for _ in range(12)]
            race(*[lambda: [send(limit=5) for _ in range(4)]] * 3)
            sent = Counter(reference for batch in self.vendor.batches for reference in batch)
            assert sent == {one.reference: 1 for one in bookings}
            assert {status(one) for one in bookings} == {"sent"}

    def test_everybody_at_once_never_locks_each_other_out(self, clock: Any) -> None:
        for _ in range(TIMES):
            self.everybody(planner())

    def everybody(self, by: Any) -> None:
        draft, scheduled, sent, confirmed = booked("draft"), booked(), booked("sent"), booked("confirmed")
        answers = race(
            lambda: schedule_booking(fresh(draft), by=by),
            lambda: cancel_booking(fresh(scheduled), by=by),
            lambda: confirm_by_hand(fresh(sent), by=by, comment="yes"),
            lambda: reject_by_hand(fresh(confirmed), by=by, comment="no"),
            lambda: check_now(fresh(sent), by=by, actor=Actor.PLANNER),
            lambda: cancel_booking(fresh(sent), by=by),
            lambda: [hear_of_update(one, now=NOW) for one in (sent, confirmed)],
            send,
            check,
            lambda: deliver(NOW),
        )
        assert not [one for one in answers if isinstance(one, Exception) and not isinstance(one, Conflict)]
        for _ in range(3):
            send()
            check()
            deliver(NOW + timedelta(minutes=10))
        assert status(draft) in ("sent", "confirmed")
        assert (status(scheduled), status(sent)) == ("cancelled", "cancelled")
        assert scheduled.reference not in self.vendor.script.book
        assert not Booking.objects.exclude(claimed_by="").exists()
        Booking.objects.update(next_check_at=None)
