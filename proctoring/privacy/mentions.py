"""Where a person is mentioned outside of the rows that are about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _

from proctoring.attempts.models import Attempt
from proctoring.bookings.models import LiveSession
from proctoring.errors import Conflict, NotConfigured
from proctoring.host import host
from proctoring.idempotency.models import IdempotencyRecord
from proctoring.inbox.models import MessageStatus, SweepCursor, WebhookMessage
from proctoring.outbox.models import Circuit
from proctoring.privacy.blanking import BATCH, blank, in_batches
from proctoring.privacy.holds import held_rows
from proctoring.privacy.models import Pseudonym
from proctoring.privacy.rules import RULES, history_of, label
from proctoring.privacy.words import Words
from proctoring.reviews.models import Review, ReviewComment

if TYPE_CHECKING:
    from proctoring.host import User

UNSETTLED = (MessageStatus.RECEIVED, MessageStatus.FAILED)
ADMIN = "django.contrib.admin"

Key = TypeVar("Key")
Keys = dict[type[Model], list[int]]
"""Model → primary keys."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where somebody who is not the candidate may be named."""

    model: type[Model]
    texts: tuple[str, ...]
    attempt: str
    """The way to the attempt."""
    review: str
    """The attribute that is the review's primary key."""

    def changes(self, row: Any, names: Words) -> dict[str, Any]:
        """Field → what is left of it without the names; empty where they do not stand in it."""
        left = {field: (getattr(row, field), names.without(getattr(row, field))) for field in self.texts}
        return {field: after for field, (before, after) in left.items() if after != before}


_SAID = ("reviewed_by", "payload", "note")
PLACES = (
    Place(model=Review, texts=_SAID, attempt="attempt", review="pk"),
    Place(model=Review.history.model, texts=(*_SAID, "history_change_reason"), attempt="attempt", review="id"),
    Place(model=ReviewComment, texts=("text", "severity"), attempt="review__attempt", review="review_id"),
)
SEARCHED: tuple[type[Model], ...] = (WebhookMessage, *(place.model for place in PLACES))


def names_of(user: User) -> Words:
    """What the person is called here and in the LMS. Asks the host: not for use inside a transaction."""
    given = Attempt.history.filter(user=user.pk).order_by().values_list("full_name", flat=True).distinct()
    account = (user.get_username(), user.get_full_name(), host().full_name(user), host().email(user))
    return Words((*account, *given))


def every_word_of(names: Words) -> Words:
    """The names and each of their words, however short: for a sentence that is about this person alone."""
    return Words((word for name in names.texts for word in (name, *name.split())), shortest=2)


def ids_of(user_pk: int) -> Words:
    """What vendors call the person, their attempts and their live sessions."""
    known = (Attempt.objects, LiveSession.objects)
    external = (rows.filter(user=user_pk).values_list("external_id", flat=True) for rows in known)
    pseudonyms = Pseudonym.objects.filter(user=user_pk).values_list("value", flat=True)
    return Words((*filter(None, chain.from_iterable(external)), *pseudonyms))


def newest_keys() -> dict[type[Model], int]:
    """How far a search that begins now goes."""
    newest = {model: model._base_manager.order_by("-pk").values_list("pk", flat=True).first() for model in SEARCHED}
    return {model: key or 0 for model, key in newest.items()}


def search(user_pk: int, names: Words, ids: Words, *, after: Mapping[type[Model], int] | None = None) -> Keys:
    """What names the person and is not about them: messages that belong to no attempt, or to several, and reviews of
    others. ``after``: beyond these keys. Opens every such message that is still kept, and reads every review, one at a
    time."""
    others = Words(names.texts, plain=False)

    def rows(model: type[Model]) -> QuerySet[Any]:
        return model._base_manager.filter(pk__gt=after[model] if after else 0).order_by("pk")

    messages = rows(WebhookMessage).filter(attempt=None, blanked_at=None).iterator(chunk_size=BATCH)
    found: Keys = {WebhookMessage: [row.pk for row in messages if _mentions(_body(row), others, ids)]}
    for place in PLACES:
        theirs = rows(place.model).exclude(**{f"{place.attempt}__user": user_pk}).only(*place.texts)
        texts = theirs.iterator(chunk_size=BATCH)
        found[place.model] = [row.pk for row in texts if place.changes(row, others)]
    return found


def blank_messages(user_pk: int, others: list[int], *, now: datetime) -> int:
    """Empty the person's messages and those others, and let no worker go on with them: one that has a message in hand
    loses its lease, and what it was about to write is undone."""
    rows = WebhookMessage.objects.filter(Q(attempt__user=user_pk) | Q(pk__in=others))
    keys = list(rows.values_list("pk", flat=True))
    theirs = WebhookMessage.objects.filter(pk__in=keys)
    theirs.filter(status__in=UNSETTLED).update(status=MessageStatus.IGNORED, next_try_at=None)
    rule = RULES[WebhookMessage]
    return sum(blank(theirs, rule.personal, now=now, stamp=rule.stamp, claimed_until=None, claimed_by=""))


def forget_message(message: WebhookMessage, *, now: datetime) -> None:
    """A vendor still speaks of somebody who was erased: what it says is not kept."""
    rule = RULES[WebhookMessage]
    sum(blank(WebhookMessage.objects.filter(pk=message.pk), rule.personal, now=now, stamp=rule.stamp))


def blank_answers(user_pk: int, names: Words) -> int:
    """Kept answers to other people's requests that name the person. The key stays: a repetition must not act twice."""
    kept = IdempotencyRecord.objects.filter(answer__isnull=False).exclude(user=user_pk)
    found = [
        record.pk
        for record in kept.order_by("pk").iterator(chunk_size=BATCH)
        if names.stand_in(record.answer) or _names_key(record.answer, user_pk)
    ]
    for some in _batches(found):
        IdempotencyRecord.objects.filter(pk__in=some).update(answer=None)
    return len(found)


def remove_from_reviews(found: Keys, names: Words, *, now: datetime) -> dict[str, int]:
    """The person's name goes from these reviews of others, from their versions and comments, and from the vendor's
    messages that brought them; verdicts stay.

    Raises ``Conflict`` (``legal_hold``) where one of those others is held: a case keeps who reviewed it.
    """
    others = Words(names.texts, plain=False)
    counts: dict[str, int] = {}
    reviews: set[int] = set()
    for place in PLACES:
        manager, counts[label(place.model)] = place.model._base_manager, 0
        for some in _batches(found[place.model]):
            if manager.filter(held_rows(place.attempt), pk__in=some).exists():
                sentence = _("A legal hold is in force on somebody whom this person has reviewed.")
                raise Conflict(sentence, code="legal_hold")
            for row in manager.filter(pk__in=some):
                counts[label(place.model)] += manager.filter(pk=row.pk).update(**place.changes(row, others))
                reviews.add(getattr(row, place.review))
    counts[label(WebhookMessage)] = _blank_messages_of(sorted(reviews), now=now)
    return counts


def _blank_messages_of(reviews: list[int], *, now: datetime) -> int:
    rule, blanked = RULES[WebhookMessage], 0
    for some in _batches(reviews):
        keys = Review.objects.filter(pk__in=some, message__isnull=False).values_list("message", flat=True)
        messages = WebhookMessage.objects.filter(pk__in=list(keys))
        blanked += sum(blank(messages, rule.personal, now=now, stamp=rule.stamp))
    return blanked


def blank_log_entries(rows: list[tuple[type[Model], list[str]]]) -> int:
    """What the admin's log says about these rows: names and reasons may stand in it."""
    if not apps.is_installed(ADMIN):
        return 0
    entries = apps.get_model("admin.LogEntry")._base_manager.exclude(object_repr="", change_message="")
    blanked = 0
    for model, keys in rows:
        about = entries.filter(content_type=ContentType.objects.get_for_model(model))
        for some in _batches(keys):
            blanked += about.filter(object_id__in=some).update(object_repr="", change_message="")
    return blanked


def rows_about(user_pk: int) -> list[tuple[type[Model], list[str]]]:
    """Model → primary keys of the rows about the person, as the admin's log has them; of deleted ones too."""
    return [(model, sorted(set(_keys(model, user_pk)))) for model, rule in RULES.items() if rule.about is not None]


def clean_errors(words: Words) -> dict[str, int]:
    """Vendors like to say whom they refuse: what is kept of it beside connections and the reading of lists."""
    cleaned: dict[str, int] = {}
    for model in (Circuit, SweepCursor):
        rows, name = model._base_manager, label(model)
        cleaned[name] = 0
        for row in rows.exclude(last_error=""):
            if (said := words.without(row.last_error)) != row.last_error:
                cleaned[name] += rows.filter(pk=row.pk).update(last_error=said)
    return cleaned


def _keys(model: type[Model], user_pk: int) -> Iterator[str]:
    about: Any = RULES[model].about
    for batch in in_batches(model._base_manager.filter(about(user_pk))):
        yield from map(str, batch)
    history = history_of(model)
    if history is not None:
        yield from map(str, history._base_manager.filter(about(user_pk)).order_by().values_list("id", flat=True))


def _body(message: WebhookMessage) -> bytes:
    try:
        return message.body
    except NotConfigured:
        # Its key is gone, so nobody will ever read it.
        return b""


def _batches(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    return (keys[at : at + BATCH] for at in range(0, len(keys), BATCH))


def _mentions(body: bytes, names: Words, ids: Words) -> bool:
    return names.stand_in_bytes(body) or ids.stand_in_bytes(body)


def _names_key(answer: Any, user_pk: int) -> bool:
    if isinstance(answer, dict):
        return answer.get("user") == user_pk or any(_names_key(item, user_pk) for item in answer.values())
    return isinstance(answer, list) and any(_names_key(item, user_pk) for item in answer)
