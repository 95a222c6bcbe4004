"""How risky an attempt is rated: every rating is kept, the newest counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext as _

from proctoring.attempts.lifecycle import locked, refuse_own
from proctoring.attempts.models import Attempt
from proctoring.backends.types import AttemptRated
from proctoring.errors import InvalidInput, MalformedMessage
from proctoring.reviews.models import Rating, RatingSource

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
    return _keep(attempt, _vendors_rating(event, source=source, message=message, now=now), now=now)


def record_ratings(
    rated: Sequence[tuple[Attempt, AttemptRated]], *, source: RatingSource, now: datetime
) -> list[Rating | None]:
    """Keep many ratings of a vendor's list, each of another attempt or moment. None in the place of one that is kept
    already, whichever way it came, or whose attempt was erased. Five statements, however many. The caller has a
    transaction.

    Raises ``MalformedMessage`` where the plugin's risk is not between 0 and 1.
    """
    if not rated:
        return []
    keys = {attempt.pk for attempt, _event in rated}
    locked_rows = Attempt.objects.select_for_update().filter(pk__in=keys, erased_at=None).order_by("-pk")
    attempts = {row.pk: row for row in locked_rows}
    kept = list(Rating.objects.filter(attempt__in=attempts))
    seen = {(one.attempt_id, one.rated_at, one.raw_value) for one in kept}
    current = {one.attempt_id: one for one in kept if one.is_current}
    made: list[Rating | None] = []
    for attempt, event in rated:
        rating = _vendors_rating(event, source=source, message=None, now=now)
        same = (attempt.pk, rating.rated_at, rating.raw_value)
        if attempt.pk not in attempts or same in seen:
            made.append(None)
            continue
        seen.add(same)
        before = current.get(attempt.pk)
        rating.attempt, rating.exam_id = attempts[attempt.pk], attempts[attempt.pk].exam_id
        rating.is_current = before is None or rating.effective_at >= before.effective_at
        if rating.is_current:
            if before is not None:
                before.is_current = False
            current[attempt.pk] = rating
        made.append(rating)
    overruled = [one.pk for one in kept if not one.is_current]
    Rating.objects.filter(pk__in=overruled, is_current=True).update(is_current=False)
    Rating.objects.bulk_create([one for one in made if one is not None])
    return made


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


def _vendors_rating(
    event: AttemptRated, *, source: RatingSource, message: WebhookMessage | None, now: datetime
) -> Rating:
    # A NaN fails both comparisons.
    if not 0 <= event.risk <= 1:
        raise MalformedMessage("The plugin gave a risk that is not between 0 and 1.")
    return Rating(
        raw_value=event.raw_value.replace("\x00", "")[:60],
        raw_scale=event.raw_scale.replace("\x00", "")[:60],
        risk=Decimal(str(event.risk)).quantize(STEP),
        mapping_version=event.mapping_version[:40],
        source=source,
        rated_at=event.occurred_at,
        fetched_at=now,
        message=message,
    )


def _keep(attempt: Attempt, rating: Rating, *, now: datetime) -> Rating:
    """Under the attempt's lock, so that of two at once one is the current one."""
    with locked(attempt, now=now) as row:
        same = row.ratings.filter(source=rating.source, rated_at=rating.rated_at, raw_value=rating.raw_value)
        if (known := same.first()) is not None:
            return known
        current = row.ratings.filter(is_current=True).first()
        rating.attempt, rating.exam_id = row, row.exam_id
        rating.is_current = current is None or rating.effective_at >= current.effective_at
        if rating.is_current and current is not None:
            row.ratings.filter(is_current=True).update(is_current=False)
        rating.save()
    return rating
