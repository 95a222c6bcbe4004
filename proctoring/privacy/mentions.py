"""Where a person is mentioned outside of the rows that are about them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _

from proctoring.attempts.models import Attempt
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
from proctoring.reviews.models import Review

if TYPE_CHECKING:
    from proctoring.host import User

UNSETTLED = (MessageStatus.RECEIVED, MessageStatus.FAILED)
ADMIN = "django.contrib.admin"


def names_of(user: User) -> Words:
    """What the person is called here and in the LMS. Asks the host: not for use inside a transaction."""
    given = Attempt.history.filter(user=user.pk).order_by().values_list("full_name", flat=True).distinct()
    account = (user.get_username(), user.get_full_name(), host().full_name(user), host().email(user))
    return Words((*account, *given))


def every_word_of(names: Words) -> Words:
    """The names and each of their words, however short: for a sentence that is about this person alone."""
    return Words((word for name in names.texts for word in (name, *name.split())), shortest=2)


def ids_of(user_pk: int) -> Words:
    """What vendors call the person and their attempts."""
    external = Attempt.objects.filter(user=user_pk, external_id__isnull=False).values_list("external_id", flat=True)
    return Words((*filter(None, external), *Pseudonym.objects.filter(user=user_pk).values_list("value", flat=True)))


def messages_about(user_pk: int, ids: Words, *, after: int = 0) -> list[int]:
    """Messages that belong to no attempt, or to several, and name the person: every body from the time since they came
    here that is still kept is opened, one at a time."""
    first = Attempt.objects.filter(user=user_pk).order_by("created_at").values_list("created_at", flat=True).first()
    if first is None or not ids:
        return []
    rows = WebhookMessage.objects.filter(attempt=None, blanked_at=None, received_at__gte=first, pk__gt=after)
    return [row.pk for row in rows.order_by("pk").iterator(chunk_size=BATCH) if ids.stand_in_bytes(_body(row))]


def last_message() -> int:
    return WebhookMessage.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


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
    for at in range(0, len(found), BATCH):
        IdempotencyRecord.objects.filter(pk__in=found[at : at + BATCH]).update(answer=None)
    return len(found)


def remove_reviewers_name(user: User, names: Words, *, now: datetime) -> dict[str, int]:
    """The person as a reviewer of others: their name goes, from the versions and the vendor's messages too, and their
    decisions stay.

    Raises ``Conflict`` (``legal_hold``) where one of those others is held: a case keeps who reviewed it.
    """
    history: Any = history_of(Review)
    held = held_rows("attempt")
    counts: dict[str, int] = {}
    keys: set[int] = set()
    for model in (Review, history):
        if next(_reviews_naming(user, names, model._base_manager.filter(held)), None) is not None:
            raise Conflict(_("A legal hold is in force on somebody whom this person has reviewed."), code="legal_hold")
        counts[label(model)] = 0
        for row, changes in _reviews_naming(user, names, model._base_manager.all()):
            model._base_manager.filter(pk=row.pk).update(**changes)
            counts[label(model)] += 1
            if row.message_id is not None:
                keys.add(row.message_id)
    rule = RULES[WebhookMessage]
    messages = WebhookMessage.objects.filter(pk__in=keys)
    counts["webhookmessage"] = sum(blank(messages, rule.personal, now=now, stamp=rule.stamp))
    return counts


def blank_log_entries(rows: list[tuple[type[Model], list[str]]]) -> int:
    """What the admin's log says about these rows: names and reasons may stand in it."""
    if not apps.is_installed(ADMIN):
        return 0
    entries = apps.get_model("admin.LogEntry")._base_manager.exclude(object_repr="", change_message="")
    blanked = 0
    for model, keys in rows:
        about = entries.filter(content_type=ContentType.objects.get_for_model(model))
        for at in range(0, len(keys), BATCH):
            found = about.filter(object_id__in=keys[at : at + BATCH])
            blanked += found.update(object_repr="", change_message="")
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


def _reviews_naming(user: User, names: Words, reviews: QuerySet[Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Reviews of others, or versions of such, that name the person; each with what is left without the name."""
    theirs = reviews.filter(Q(author=user.pk) | Q(reviewed_by__in=names.texts)).exclude(attempt__user=user.pk)
    for row in theirs.iterator(chunk_size=BATCH):
        changes = {"reviewed_by": names.without(row.reviewed_by), "payload": names.without(row.payload)}
        if changes != {"reviewed_by": row.reviewed_by, "payload": row.payload}:
            yield row, changes


def _names_key(answer: Any, user_pk: int) -> bool:
    if isinstance(answer, dict):
        return answer.get("user") == user_pk or any(_names_key(item, user_pk) for item in answer.values())
    return isinstance(answer, list) and any(_names_key(item, user_pk) for item in answer)
