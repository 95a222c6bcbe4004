"""How risky an attempt is rated: every rating is kept, the newest counts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext as _

from proctoring.attempts.lifecycle import locked, refuse_own
from proctoring.attempts.models import Attempt
from proctoring.backends.types import AttemptRated
from proctoring.errors import InvalidInput, MalformedMessage
from proctoring.reviews.models import Rating, RatingSource, believed_moment

if TYPE_CHECKING:
    from proctoring.host import User
    from proctoring.inbox.models import WebhookMessage

STEP = Decimal("0.0001")

STAFFS_SCALE, STAFFS_MAP = "risk_0_1", "staff-1"


def record_rating(
    attempt: Attempt,
    event: AttemptRated,
    *,
    source: RatingSource = RatingSource.WEBHOOK,
    message: WebhookMessage | None = None,
    now: datetime | None = None,
) -> Rating:
    """Keep a vendor's rating; the very same one again is the one that is kept already.

    Raises ``MalformedMessage`` where the plugin's risk is not between 0 and 1.
    """
    now = now or timezone.now()
    # A NaN fails both comparisons.
    if not 0 <= event.risk <= 1:
        raise MalformedMessage("The plugin gave a risk that is not between 0 and 1.")
    rating = Rating(
        raw_value=event.raw_value.replace("\x00", "")[:60],
        raw_scale=event.raw_scale.replace("\x00", "")[:60],
        risk=Decimal(str(event.risk)).quantize(STEP),
        mapping_version=event.mapping_version[:40],
        source=source,
        rated_at=event.occurred_at,
        fetched_at=now,
        message=message,
    )
    return _keep(attempt, rating, now=now)


def set_risk(attempt: Attempt, risk: Decimal, *, by: User, now: datetime | None = None) -> Rating:
    """A person rates an attempt. Raises ``InvalidInput``, and ``NotPermitted`` as ``refuse_own`` does."""
    now = now or timezone.now()
    refuse_own(attempt, by)
    if not (risk.is_finite() and 0 <= risk <= 1):
        sentence = _("The risk is a number from 0 to 1.")
        raise InvalidInput(sentence, errors={"risk": [sentence]})
    exact = risk.quantize(STEP)
    rating = Rating(
        raw_value=str(exact),
        raw_scale=STAFFS_SCALE,
        risk=exact,
        mapping_version=STAFFS_MAP,
        source=RatingSource.STAFF,
        by=by,
        rated_at=now,
        fetched_at=now,
    )
    return _keep(attempt, rating, now=now)


def _keep(attempt: Attempt, rating: Rating, *, now: datetime) -> Rating:
    """Under the attempt's lock, so that of two at once one is the current one."""
    with locked(attempt, now=now) as row:
        same = row.ratings.filter(source=rating.source, rated_at=rating.rated_at, raw_value=rating.raw_value)
        if (known := same.first()) is not None:
            return known
        current = row.ratings.filter(is_current=True).first()
        rating.attempt, rating.exam_id = row, row.exam_id
        rating.is_current = current is None or _counts_over(current, rating, row)
        if rating.is_current and current is not None:
            row.ratings.filter(is_current=True).update(is_current=False)
        rating.save()
    return rating


def _counts_over(current: Rating, rating: Rating, row: Attempt) -> bool:
    if (rating.source == RatingSource.STAFF) == (current.source == RatingSource.STAFF):
        return rating.rated_at >= current.rated_at
    return _made_at(rating, row) >= _made_at(current, row)


def _made_at(rating: Rating, row: Attempt) -> datetime:
    if rating.source == RatingSource.STAFF:
        return rating.rated_at
    later = row.ratings.exclude(source=RatingSource.STAFF).filter(rated_at__gte=rating.rated_at)
    return believed_moment(rating.rated_at, (rating.fetched_at, *later.values_list("fetched_at", flat=True)))
