"""Time that a candidate lost because their page was out of reach: what the exam's policy makes of it.

While nobody can reach the page, a deadline that would be moved by the time given back waits for it
(``Attempt.held_seconds``); what is given back is written into the ledger when the outage is over.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from proctoring.attempts import ledger
from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.states import TICKING
from proctoring.attempts.timing import EntryKind, EntryState, pause_seconds
from proctoring.exams.models import OutagePolicy
from proctoring.logs.intake import ANSWER_SAVED
from proctoring.logs.models import Event, EventActor

ON_THE_WAY = timedelta(minutes=1)
"""What arrives so soon after the last sign of life had been sent before the connection broke."""


def begin_outage(attempt: Attempt, *, since: datetime) -> None:
    """The page of a running attempt has been out of reach since then.

    In memory: the caller, who holds the lock, saves.
    """
    attempt.outage_since = since
    if attempt.exam.outage_policy == OutagePolicy.CREDIT:
        attempt.held_seconds = _left_to_give(attempt)
        ledger.derive(attempt)


def settle_outage(attempt: Attempt, *, until: datetime) -> int:
    """The page is back, or the candidate's clock stands: write what the policy gives into the ledger.

    Returns the seconds that were credited or proposed. In memory but for the entry, as ``begin_outage``.
    """
    since, credited = attempt.outage_since, attempt.held_seconds > 0
    attempt.outage_since, attempt.held_seconds = None, 0
    if since is None or not (credited or attempt.exam.outage_policy == OutagePolicy.PROPOSE):
        return 0
    seconds = min(pause_seconds(since, until), _left_to_give(attempt))
    if not seconds:
        ledger.derive(attempt)
        return 0
    # Candidates read it, and so do staff of any language: a code of the note's own would be one more vocabulary.
    note = _("Connection lost for %d seconds.") % pause_seconds(since, until)
    # Who reports in the middle of an outage is not out of reach: that is for people to judge.
    state = EntryState.APPLIED if credited and not _was_heard(attempt, since, until) else EntryState.PROPOSED
    ledger.post(attempt, EntryKind.OUTAGE, seconds, at=until, note=note, state=state)
    return seconds


def clock_began(attempt: Attempt) -> datetime | None:
    """Since when the candidate's clock has been running: no silence before it costs them time. One statement."""
    if attempt.status not in TICKING or attempt.started_at is None:
        return None
    pauses = TimeEntry.objects.filter(attempt=attempt.pk, kind=EntryKind.PAUSE, reverses=None).order_by("-at")
    resumed_at = pauses.values_list("at", flat=True).first()
    return max(attempt.started_at, resumed_at) if resumed_at else attempt.started_at


def _was_heard(attempt: Attempt, since: datetime, until: datetime) -> bool:
    """Whether something of the candidate's arrived in between, by whatever way but heartbeats."""
    theirs = Q(actor__in=(EventActor.TEST_TAKER, EventActor.DELIVER_FE)) | Q(type=ANSWER_SAVED)
    arrived = Event.objects.filter(theirs, attempt=attempt.pk, at__gte=since)
    return arrived.filter(received_at__gt=since + ON_THE_WAY, received_at__lt=until).exists()


def _left_to_give(attempt: Attempt) -> int:
    """Of the exam's cap, which is for the attempt as a whole. What waits for a decision counts as given."""
    given = TimeEntry.objects.filter(attempt=attempt.pk, kind=EntryKind.OUTAGE).exclude(state=EntryState.REFUSED)
    return max(0, attempt.exam.outage_cap_minutes * 60 - (given.aggregate(Sum("seconds"))["seconds__sum"] or 0))
