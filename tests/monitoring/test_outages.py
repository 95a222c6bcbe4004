"""What becomes of the time in which a candidate's page was out of reach."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from proctoring.attempts import services
from proctoring.attempts.deadlines import end_overdue
from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.states import Actor, Status
from proctoring.errors import Conflict
from proctoring.exams.models import OutagePolicy
from proctoring.logs.models import Event
from proctoring.monitoring.models import Presence
from proctoring.monitoring.silence import notice_silence
from tests.factories import EventFactory, UserFactory, at
from tests.monitoring.conftest import Beat

CREDIT, PROPOSE, OFF = OutagePolicy.CREDIT, OutagePolicy.PROPOSE, OutagePolicy.OFF


def entries(attempt: Attempt) -> list[tuple[str, int, str]]:
    return list(TimeEntry.objects.filter(attempt=attempt.pk).order_by("pk").values_list("kind", "seconds", "state"))


def deadline(attempt: Attempt) -> datetime | None:
    return Attempt.objects.get(pk=attempt.pk).expires_at


def types(attempt: Attempt) -> list[int]:
    return list(Event.objects.filter(attempt=attempt.pk).order_by("pk").values_list("type", flat=True))


class TestCredit:
    def test_gap_is_given_back(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt = make(CREDIT)
        beat(attempt, at(10, 10))
        notice_silence(now=at(10, 12))
        heard = beat(attempt, at(10, 14))

        assert entries(attempt) == [("base", 3600, "applied"), ("outage", 240, "applied")]
        assert deadline(attempt) == heard.seen.attempt.expires_at == at(11, 4)
        assert types(attempt) == [1020, 1021]
        assert Event.objects.get(type=1020).at == at(10, 10)
        assert Event.objects.get(type=1021).data["given_back_seconds"] == 240

    def test_gap_that_no_sweep_noticed_is_given_back_too(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt = make(CREDIT)
        beat(attempt, at(10, 10))
        beat(attempt, at(10, 14))

        assert deadline(attempt) == at(11, 4)
        assert types(attempt) == [1020, 1021]

    def test_short_silence_is_none(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt = make(CREDIT)
        beat(attempt, at(10, 10))
        notice_silence(now=at(10, 11, 29))
        beat(attempt, at(10, 11, 29))

        assert (deadline(attempt), types(attempt)) == (at(11, 0), [])

    def test_cap_is_for_all_gaps_together(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt = make(CREDIT, cap=5)
        for minute in (10, 14, 18, 22):
            beat(attempt, at(10, minute))

        assert [seconds for kind, seconds, _ in entries(attempt) if kind == "outage"] == [240, 60]
        assert deadline(attempt) == at(11, 5)

    def test_deadline_of_a_lost_attempt_waits_for_what_would_be_given(
        self, make: Callable[..., Attempt], beat: Beat
    ) -> None:
        attempt = make(CREDIT, cap=5)
        beat(attempt, at(10, 58))
        notice_silence(now=at(10, 59, 45))
        end_overdue(now=at(11, 3))
        assert Attempt.objects.get(pk=attempt.pk).status_at(at(11, 3)) == Status.STARTED

        heard = beat(attempt, at(11, 3))

        assert heard.seen.attempt.status == Status.STARTED
        assert deadline(attempt) == at(11, 5)

    def test_who_never_comes_back_ends_when_the_cap_is_used_up(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt = make(CREDIT, cap=5)
        beat(attempt, at(10, 58))
        notice_silence(now=at(10, 59, 45))
        end_overdue(now=at(11, 30))

        row = Attempt.objects.get(pk=attempt.pk)
        assert (row.status, row.ended_at, row.expires_at) == (Status.SUBMITTED, at(11, 5), at(11, 5))
        assert (row.outage_since, row.held_seconds) == (None, 0)
        assert entries(attempt)[1:] == [("outage", 300, "applied")]
        assert row.ended_by_deadline

    @pytest.mark.parametrize("by_sweep", [True, False])
    def test_deadline_that_passed_before_anybody_could_notice_waits_too(
        self, make: Callable[..., Attempt], beat: Beat, by_sweep: bool
    ) -> None:
        """The whole house was out of reach: no sweep ran, and the candidate comes back after their deadline."""
        attempt = make(CREDIT, cap=30)
        beat(attempt, at(10, 50))
        if by_sweep:
            notice_silence(now=at(11, 3))
        heard = beat(attempt, at(11, 4))

        assert heard.seen.attempt.status == Status.STARTED
        assert entries(attempt)[1:] == [("outage", 840, "applied")]
        assert deadline(attempt) == at(11, 14)
        assert types(attempt) == [1020, 1021]

    def test_who_was_only_late_when_time_was_up_has_ended(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt = make(CREDIT, cap=30)
        beat(attempt, at(10, 59))
        heard = beat(attempt, at(11, 4))

        assert heard.seen.attempt.status == Status.SUBMITTED
        assert Attempt.objects.get(pk=attempt.pk).ended_at == at(11, 0)
        assert [kind for kind, _, _ in entries(attempt)] == ["base"]

    def test_who_goes_on_reporting_meanwhile_is_for_people_to_judge(
        self, make: Callable[..., Attempt], beat: Beat
    ) -> None:
        """Only the heartbeat was blocked."""
        attempt = make(CREDIT)
        beat(attempt, at(10, 10))
        EventFactory(attempt=attempt, type=1006, at=at(10, 12))
        beat(attempt, at(10, 14))

        assert entries(attempt)[1:] == [("outage", 240, "proposed")]
        assert deadline(attempt) == at(11, 0)

    def test_what_was_buffered_and_comes_afterwards_speaks_against_nobody(
        self, make: Callable[..., Attempt], beat: Beat
    ) -> None:
        attempt = make(CREDIT)
        beat(attempt, at(10, 10))
        row = {"message_id": "m", "type": 1005, "occurred_at": "2026-03-02T10:12:00Z"}
        beat(attempt, at(10, 14), [row])

        assert entries(attempt)[1:] == [("outage", 240, "applied")]

    def test_due_date_moves_along_where_accommodations_reach_past_it(
        self, make: Callable[..., Attempt], beat: Beat
    ) -> None:
        attempt = make(CREDIT, due_at=at(10, 40))
        beat(attempt, at(10, 10))
        beat(attempt, at(10, 14))

        assert deadline(attempt) == at(10, 44)

    def test_due_date_stays_where_they_do_not(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt = make(CREDIT, due_at=at(10, 40), accommodations_past_due=False)
        beat(attempt, at(10, 10))
        beat(attempt, at(10, 14))

        assert deadline(attempt) == at(10, 40)


class TestOtherSteps:
    def test_submitting_from_elsewhere_settles_the_gap(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt = make(CREDIT)
        beat(attempt, at(10, 10))
        notice_silence(now=at(10, 12))
        services.submit_attempt(attempt, by=attempt.user, now=at(10, 13))

        row = Attempt.objects.get(pk=attempt.pk)
        assert (row.status, row.outage_since) == (Status.SUBMITTED, None)
        assert entries(attempt)[1:] == [("outage", 180, "applied")]

    def test_pause_ends_the_gap_and_what_comes_after_it_begins_anew(
        self, make: Callable[..., Attempt], beat: Beat
    ) -> None:
        attempt, proctor = make(CREDIT, cap=60), UserFactory()
        beat(attempt, at(10, 10))
        notice_silence(now=at(10, 12))
        services.pause_attempt(attempt, by=proctor, actor=Actor.PROCTOR, now=at(10, 13))
        services.resume_attempt(attempt, by=proctor, actor=Actor.PROCTOR, now=at(10, 20))
        beat(attempt, at(10, 24))

        # Away from 10:10; the clock stood from 10:13 to 10:20.
        assert entries(attempt)[1:] == [
            ("outage", 180, "applied"),
            ("pause", 420, "applied"),
            ("outage", 240, "applied"),
        ]
        assert deadline(attempt) == at(11, 14)

    def test_silence_during_a_pause_costs_nobody_time(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt, proctor = make(CREDIT), UserFactory()
        beat(attempt, at(10, 10))
        services.pause_attempt(attempt, by=proctor, actor=Actor.PROCTOR, now=at(10, 11))
        notice_silence(now=at(10, 30))
        services.resume_attempt(attempt, by=proctor, actor=Actor.PROCTOR, now=at(10, 30))
        beat(attempt, at(10, 31))

        assert [kind for kind, _, _ in entries(attempt)] == ["base", "pause"]
        assert 1020 not in types(attempt)

    def test_being_about_to_submit_and_going_back_does_not_settle_twice(
        self, make: Callable[..., Attempt], beat: Beat
    ) -> None:
        attempt = make(CREDIT)
        beat(attempt, at(10, 10))
        notice_silence(now=at(10, 12))
        services.stop_attempt(attempt, by=attempt.user, now=at(10, 13))
        notice_silence(now=at(10, 13, 30))
        beat(attempt, at(10, 14))

        assert entries(attempt)[1:] == [("outage", 240, "applied")]


class TestPropose:
    def proposal(self, make: Callable[..., Attempt], beat: Beat) -> tuple[Attempt, TimeEntry]:
        attempt = make(PROPOSE)
        beat(attempt, at(10, 10))
        beat(attempt, at(10, 14))
        return attempt, TimeEntry.objects.get(attempt=attempt, kind="outage")

    def decide(self, attempt: Attempt, entry: TimeEntry, *, accept: bool) -> Any:
        return services.decide_outage(
            attempt, entry=entry, accept=accept, by=UserFactory(), reason_code=None, note="Looked", now=at(10, 20)
        )

    def test_gap_waits_for_staff(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt, entry = self.proposal(make, beat)

        assert (entry.seconds, entry.state, deadline(attempt)) == (240, "proposed", at(11, 0))

    @pytest.mark.parametrize(("accept", "state", "ends"), [(True, "applied", at(11, 4)), (False, "refused", at(11, 0))])
    def test_staff_decide_once(
        self, make: Callable[..., Attempt], beat: Beat, accept: bool, state: str, ends: datetime
    ) -> None:
        attempt, entry = self.proposal(make, beat)
        self.decide(attempt, entry, accept=accept)
        entry.refresh_from_db()

        assert (entry.state, deadline(attempt)) == (state, ends)
        with pytest.raises(Conflict) as wrong:
            self.decide(attempt, entry, accept=not accept)
        assert wrong.value.code == "not_proposed"

    def test_cap_counts_what_is_proposed_and_not_what_was_refused(
        self, make: Callable[..., Attempt], beat: Beat
    ) -> None:
        attempt, entry = self.proposal(make, beat)
        beat(attempt, at(10, 18))
        assert entries(attempt)[-1] == ("outage", 60, "proposed")
        self.decide(attempt, entry, accept=False)
        beat(attempt, at(10, 22))

        assert entries(attempt)[-1] == ("outage", 240, "proposed")


def test_off_means_that_nothing_is_given_and_the_gap_is_in_the_log_all_the_same(
    make: Callable[..., Attempt], beat: Beat
) -> None:
    attempt = make(OFF)
    beat(attempt, at(10, 10))
    notice_silence(now=at(10, 12))
    beat(attempt, at(10, 14))

    assert [kind for kind, _, _ in entries(attempt)] == ["base"]
    assert types(attempt) == [1020, 1021]
    assert Presence.objects.get(pk=attempt.pk).state == "online"
