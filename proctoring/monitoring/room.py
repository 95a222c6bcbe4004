"""How many events of an attempt's page are kept: nobody fills a log without end.

What a page sends is counted with its presence, by the statement that notes the heartbeat (``beating.py``), or by one of
its own where events come alone. A page that was never heard has no such row; what it has in the log is counted then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils.translation import gettext as _

from proctoring.attempts.models import Attempt
from proctoring.attempts.reporting import report_events
from proctoring.conf import settings
from proctoring.logs.intake import Refused, Reporter, Taken
from proctoring.logs.models import Event
from proctoring.logs.services import OWN
from proctoring.logs.streams import Known, Sent
from proctoring.monitoring.models import Presence

TOO_MANY = "too_many"
NOTED = ("stream", "last_at_ms", "last_sequence", "ordered_from_ms", "ordered_after")


def report_from_page(attempt: Attempt, rows: Sequence[Any], reporter: Reporter, *, now: datetime) -> Taken:
    """Store the events that a page sends without a heartbeat, as ``report_events`` does; one statement more.

    Wants ``presence`` loaded. Raises ``Conflict``.
    """
    sent, presence = Sent.of(rows), getattr(attempt, "presence", None)
    if sent is None:
        return report_events(attempt, rows, reporter, now=now)
    if presence is None:
        has_room = in_the_log(attempt.pk) < settings.page_max_events
    else:
        presence.note_events(sent, now=now)
        has_room = _note(presence, sent)
        known = Known(stream=sent.begins, last_sequence=presence.ordered_after, latest_ms=presence.ordered_from_ms)
        reporter = replace(reporter, known=known)
    return report_events(attempt, rows, reporter, now=now) if has_room else Taken(refused=turned_away(rows))


def turned_away(rows: Sequence[Any]) -> tuple[Refused, ...]:
    """The page is told of each, so that it keeps none of them for later."""
    detail = _("The page of this attempt has reported too much.")
    return tuple(Refused(index=index, code=TOO_MANY, detail=detail) for index in range(len(rows)))


def in_the_log(attempt_id: int) -> int:
    """How many events of the page the log has; no more are counted than it may have."""
    others = Event.objects.filter(attempt=attempt_id).order_by().exclude(message_id__startswith=OWN)
    return others[: settings.page_max_events].count()


def _note(presence: Presence, sent: Sent) -> bool:
    """Whether there is room for them. The batch that fills it is the last."""
    with_room = Presence.objects.filter(pk=presence.pk, page_events__lt=settings.page_max_events)
    noted = {name: getattr(presence, name) for name in NOTED}
    # By what the row has: others may have counted meanwhile.
    return bool(with_room.update(page_events=F("page_events") + sent.count, **noted))
