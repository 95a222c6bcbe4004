"""Where a person is mentioned outside of the rows that are about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, Q, QuerySet

from proctoring.attempts.models import Attempt
from proctoring.bookings.models import LiveSession
from proctoring.errors import NotConfigured
from proctoring.host import host
from proctoring.idempotency.models import IdempotencyRecord
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.logs.models import Event
from proctoring.privacy import certificates, places
from proctoring.privacy.blanking import BATCH, blank, in_batches
from proctoring.privacy.holds import courses_of
from proctoring.privacy.models import DeletionCertificate, Pseudonym
from proctoring.privacy.places import Keys, Span
from proctoring.privacy.rules import RULES, history_of, label
from proctoring.privacy.said import Said, Unclear
from proctoring.privacy.words import Words
from proctoring.reviews.models import Review, ReviewComment

if TYPE_CHECKING:
    from proctoring.host import User

UNSETTLED = (MessageStatus.RECEIVED, MessageStatus.FAILED)


def said_of(user: User, *, also: Iterable[str] = ()) -> Said:
    """What the person is called here, in the LMS and by vendors. Asks the host: not for use inside a transaction."""
    given = Attempt.history.filter(user=user.pk).order_by().values_list("full_name", flat=True).distinct()
    known_as = user.get_username()
    names = (known_as, user.get_full_name(), host().full_name(user), host().email(user), *given)
    full = (name for name in (*names[1:3], *given) if name and name != known_as)
    return Said(user.pk, names, (f"@{known_as}", *_ids_of(user.pk)), full=full, also=also)


def _ids_of(user_pk: int) -> Iterator[str]:
    """What vendors call the person, their attempts and their live sessions."""
    for rows in (Attempt.objects, LiveSession.objects):
        known: Any = rows
        yield from known.filter(user=user_pk, external_id__isnull=False).values_list("external_id", flat=True)
    yield from Pseudonym.objects.filter(user=user_pk).values_list("value", flat=True)


@dataclass(kw_only=True, slots=True)
class Found:
    """Where a person is named in what is not about them alone."""

    words: Keys = field(default_factory=dict)
    """Rows with sentences out of which they are taken."""
    messages: set[int] = field(default_factory=set)
    """Messages that are emptied, because of what their bodies say."""
    unclear: Unclear = field(default_factory=Unclear)
    """Places that are left, because they may be about somebody else."""


def searched_models() -> list[type[Model]]:
    """Where a search can be gone on with later."""
    return [WebhookMessage, *places.growing()]


def search(said: Said, found: Found, wanted: Mapping[type[Model], Span]) -> None:
    """Look through these rows of these models."""
    rows = {model: span for model, span in wanted.items() if model is not WebhookMessage}
    places.search(said, rows, found.words, found.unclear)
    if WebhookMessage in wanted:
        _search_messages(said, found, *wanted[WebhookMessage])


def search_what_changes(said: Said, found: Found) -> None:
    """Look through all rows whose words are replaced now and then: a key does not say what they say now."""
    changing: dict[type[Model], Span] = {place.model: (0, None) for place in places.places() if not place.grows}
    places.search(said, changing, found.words, found.unclear)


def _search_messages(said: Said, found: Found, after: int, until: int | None) -> None:
    messages = _readable_messages(said.user_pk, _attempts_told_of(found.words.get(Event, []))).filter(pk__gt=after)
    if until is not None:
        messages = messages.filter(pk__lte=until)
    for message in messages.order_by("pk").iterator(chunk_size=BATCH):
        body = _body(message)
        if said.texts.stand_in_bytes(body):
            found.messages.add(message.pk)
        elif said.unclear.stand_in_bytes(body):
            found.unclear.add(label(WebhookMessage), message.pk, ["sealed_body"])


def refuse_held(found: Found) -> None:
    """Raise ``Conflict`` (``legal_hold``) where some of it belongs to a case, which keeps who is named in it."""
    messages = [*found.words.get(WebhookMessage, []), *sorted(found.messages)]
    places.refuse_held({**found.words, WebhookMessage: messages})


def _attempts_told_of(events: list[int]) -> list[int]:
    """Of whose attempts vendors have named the person, whatever the course."""
    attempts: set[int] = set()
    for some in places.in_some(events):
        told = Event._base_manager.filter(pk__in=some, attempt__isnull=False).exclude(backend="")
        attempts.update(told.values_list("attempt", flat=True))
    return sorted(attempts)


def _readable_messages(user_pk: int, attempts: list[int]) -> QuerySet[WebhookMessage]:
    """Those that belong to no attempt, to several, or to an attempt of somebody with whom the person shares a course:
    what is sealed has to be opened to be searched. One that is about somebody else and not settled yet is left:
    emptied, it could not be applied."""
    of_others = Q(attempt__exam__course_id__in=courses_of(user_pk)) | Q(attempt__in=attempts)
    kept = WebhookMessage.objects.filter(blanked_at=None)
    return kept.filter(Q(attempt=None) | (of_others & ~Q(status__in=UNSETTLED) & ~Q(attempt__user=user_pk)))


def blank_messages(user_pk: int, others: Collection[int], *, now: datetime) -> int:
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


def blank_answers(said: Said) -> int:
    """Kept answers to other people's requests that may name the person: a day later they go anyway. The key stays: a
    repetition must not act twice."""
    kept = IdempotencyRecord.objects.filter(answer__isnull=False).exclude(user=said.user_pk)
    found = [
        record.pk
        for record in kept.order_by("pk").iterator(chunk_size=BATCH)
        if any(map(said.theirs.stand_in, _texts(record.answer))) or _names_key(record.answer, said.user_pk)
    ]
    for some in places.in_some(found):
        IdempotencyRecord.objects.filter(pk__in=some).update(answer=None)
    return len(found)


def remove_from_others(found: Keys, said: Said, *, now: datetime) -> Counter[str]:
    """The person's names and ids go from these rows about others, and the bodies of the messages that brought reviews
    which named them; verdicts stay. Certificates that were in order are so afterwards."""
    reviews = _reviews(found)
    listed = DeletionCertificate.objects.filter(pk__in=found.get(DeletionCertificate, []))
    sound = [one.pk for one in listed if certificates.verify(one)]
    counts = places.remove(found, said)
    if sound:
        certificates.certify_again(DeletionCertificate.objects.filter(pk__in=sound))
    counts[label(WebhookMessage)] += _blank_messages_of(reviews, now=now)
    return counts


def _reviews(found: Keys) -> list[int]:
    ways: tuple[tuple[type[Model], str], ...] = (
        (Review, "pk"),
        (Review.history.model, "id"),
        (ReviewComment, "review"),
    )
    reviews: set[int] = set()
    for model, way in ways:
        for some in places.in_some(found.get(model, [])):
            reviews.update(model._base_manager.filter(pk__in=some).values_list(way, flat=True))
    return sorted(reviews)


def _blank_messages_of(reviews: list[int], *, now: datetime) -> int:
    rule, blanked = RULES[WebhookMessage], 0
    for some in places.in_some(reviews):
        keys = Review.objects.filter(pk__in=some, message__isnull=False).values_list("message", flat=True)
        messages = WebhookMessage.objects.filter(pk__in=list(keys))
        blanked += sum(blank(messages, rule.personal, now=now, stamp=rule.stamp))
    return blanked


def blank_log_entries(rows: list[tuple[type[Model], list[str]]]) -> int:
    """What the admin's log says about these rows: names and reasons may stand in it."""
    if not apps.is_installed(places.ADMIN):
        return 0
    types = ContentType.objects.get_for_models(*(model for model, _keys in rows))
    entries = apps.get_model("admin.LogEntry")._base_manager.exclude(object_repr="", change_message="")
    blanked = 0
    for model, keys in rows:
        about = entries.filter(content_type=types[model])
        for some in places.in_some(keys):
            blanked += about.filter(object_id__in=some).update(object_repr="", change_message="")
    return blanked


def rows_about(user_pk: int) -> list[tuple[type[Model], list[str]]]:
    """Model → primary keys of the rows about the person, as the admin's log has them; of deleted ones too."""
    return [(model, sorted(set(_keys(model, user_pk)))) for model, rule in RULES.items() if rule.about is not None]


def clean_errors(words: Words) -> dict[str, int]:
    """Vendors like to say whom they refuse: what is kept of it beside connections and the reading of lists."""
    cleaned: dict[str, int] = {}
    for model in places.CONNECTIONS:
        rows: Any = model._base_manager
        name = label(model)
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


def _texts(answer: Any) -> Iterator[str]:
    """Only what is text in it: an id at a vendor may be a number, which is as many minutes elsewhere, and how we call
    the parts of an answer names nobody."""
    if isinstance(answer, str):
        yield answer
    elif isinstance(answer, dict | list):
        for item in answer.values() if isinstance(answer, dict) else answer:
            yield from _texts(item)


def _names_key(answer: Any, user_pk: int) -> bool:
    if isinstance(answer, dict):
        return answer.get("user") == user_pk or any(_names_key(item, user_pk) for item in answer.values())
    return isinstance(answer, list) and any(_names_key(item, user_pk) for item in answer)
