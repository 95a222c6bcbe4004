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
from proctoring.reviews.models import Rating, RatingSource, believed_moment

if TYPE_CHECKING:
    from proctoring.host import User
    from proctoring.inbox.models import WebhookMessage

STEP = Decimal("0.0001")

STAFFS_SCALE, STAFFS_MAP = "risk_0_1", "staff-1"


def record_ratings(
    rated: Sequence[tuple[Attempt, AttemptRated]],
    *,
    source: RatingSource,
    message: WebhookMessage | None = None,
    now: datetime,
) -> list[Rating | None]:
    """Keep many ratings of a vendor. None in the place of one that is kept already, whichever way it came, or whose
    attempt was erased. Five statements, however many. The caller has a transaction.

    Raises ``MalformedMessage`` where the plugin's risk is not between 0 and 1.
    """
    if not rated:
        return []
    keys = {attempt.pk for attempt, _event in rated}
    locked_rows = Attempt.objects.locked().filter(pk__in=keys, erased_at=None).order_by("-pk")
    attempts = {row.pk: row for row in locked_rows}
    kept: dict[int, list[Rating]] = {}
    for one in Rating.objects.filter(attempt__in=attempts):
        kept.setdefault(one.attempt_id, []).append(one)
    made = []
    for attempt, event in rated:
        rating = _vendors_rating(event, source=source, message=message, now=now)
        row = attempts.get(attempt.pk)
        made.append(None if row is None else _among(kept.setdefault(row.pk, []), row, rating))
    overruled = [one.pk for rows in kept.values() for one in rows if one.pk is not None and not one.is_current]
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
    event: AttemptRated, *, source: RatingSource, now: datetime, message: WebhookMessage | None = None
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
        known = list(row.ratings.all())
        _place(known, row, rating)
        overruled = [one.pk for one in known if not one.is_current]
        row.ratings.filter(pk__in=overruled, is_current=True).update(is_current=False)
        rating.save()
    return rating


def _among(known: list[Rating], row: Attempt, rating: Rating) -> Rating | None:
    """Put a vendor's rating among those that are known of its attempt; None where it is one of them, whichever way it
    came."""
    same = (rating.rated_at, rating.raw_value)
    if any((one.rated_at, one.raw_value) == same for one in known if one.source != RatingSource.STAFF):
        return None
    _place(known, row, rating)
    known.append(rating)
    return rating


def _place(known: Sequence[Rating], row: Attempt, rating: Rating) -> None:
    """Let it count where it is the newest, in memory."""
    current = next((one for one in known if one.is_current), None)
    rating.attempt, rating.exam_id = row, row.exam_id
    rating.is_current = current is None or _counts_over(current, rating, known)
    if current is not None and rating.is_current:
        current.is_current = False


def _counts_over(current: Rating, rating: Rating, known: Sequence[Rating]) -> bool:
    if (rating.source == RatingSource.STAFF) == (current.source == RatingSource.STAFF):
        return rating.rated_at >= current.rated_at
    return _made_at(rating, known) >= _made_at(current, known)


def _made_at(rating: Rating, known: Sequence[Rating]) -> datetime:
    if rating.source == RatingSource.STAFF:
        return rating.rated_at
    vendors = (one for one in known if one.source != RatingSource.STAFF and one.rated_at >= rating.rated_at)
    return believed_moment(rating.rated_at, (rating.fetched_at, *(one.fetched_at for one in vendors)))
