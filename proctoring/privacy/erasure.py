"""Forget a person: all that is personal in our rows and their versions, and at the vendors.

One transaction: of an erasure that was killed nothing has happened, and it is simply run again. Only the search for who
else is told of the person comes before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

from proctoring.attempts.lifecycle import locked
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import OPEN
from proctoring.errors import Conflict, InvalidInput
from proctoring.privacy import mentions
from proctoring.privacy.blanking import erase_rows
from proctoring.privacy.certificates import make_certificate, subjects_of
from proctoring.privacy.holds import lock_person, refuse_under_hold
from proctoring.privacy.mentions import Found
from proctoring.privacy.models import CertificateKind, DeletionCertificate
from proctoring.privacy.places import newest
from proctoring.privacy.said import Said, Unclear
from proctoring.privacy.vendors import promise_forgetting
from proctoring.privacy.words import SHORTEST

if TYPE_CHECKING:
    from proctoring.host import User


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    certificate: DeletionCertificate
    unclear: Unclear
    """Where a word was left that may mean the person, or another of that name, or nobody."""


def erase_user(
    user: User, *, by: User | None, reason: str, also: Iterable[str] = (), now: datetime | None = None
) -> Erasure:
    """Erase a person and certify it. Attempts stay as statistics; the account is the LMS's, and is not touched.

    Vendors are told through the outbox; the ids by which they know the person go when they have confirmed. Erasing
    again erases what came since; where nothing did, the last certificate is returned. ``also``: words that are taken
    out wherever they stand; whoever says them has looked at what an erasure, or a dry run of it, has called unclear.

    Raises ``Conflict``: ``legal_hold``, also on others beside whom they are named; ``attempt_open`` while an attempt
    has not ended (whoever erases decides first whether to void it); ``call_in_hand`` while a vendor is being called.
    Raises ``InvalidInput`` without a reason and for a word of one character, ``NotConfigured`` without
    ``PSEUDONYM_KEYS``. Takes as long as it takes to open all kept messages of their courses and of no single attempt,
    and the database to read what people wrote.
    """
    now = now or timezone.now()
    words = {word.strip() for word in also}
    if not reason.strip():
        raise InvalidInput(errors={"reason": [_("Say why.")]})
    if any(len(word) < SHORTEST for word in words):
        raise InvalidInput(errors={"also": [_("A word has two characters or more.")]})
    subjects = subjects_of(user.pk)
    said, found, searched = mentions.said_of(user, also=words), Found(), newest(mentions.searched_models())
    mentions.search(said, found, {model: (0, key) for model, key in searched.items()})
    with transaction.atomic():
        _lock_attempts(user, now=now)
        lock_person(user.pk)
        refuse_under_hold(user.pk)
        _search_on(said, found, searched)
        counts, vendors = _erase(said, found, now=now)
        if not any(counts.values()):
            earlier = DeletionCertificate.objects.filter(kind=CertificateKind.ERASURE, subject__in=subjects).first()
            if earlier is not None:
                return Erasure(certificate=earlier, unclear=found.unclear)
        certificate = make_certificate(
            CertificateKind.ERASURE,
            subject=subjects[0],
            reason=said.theirs.without(reason.strip()),
            counts=counts,
            unclear=found.unclear.counts,
            vendors=vendors,
            now=now,
            by=by,
        )
        return Erasure(certificate=certificate, unclear=found.unclear)


def _search_on(said: Said, found: Found, searched: Mapping[type[Model], int]) -> None:
    """What came since the search began."""
    grown = {model: (searched[model], None) for model, key in newest(searched).items() if key > searched[model]}
    mentions.search(said, found, grown)


def _lock_attempts(user: User, *, now: datetime) -> None:
    """Lock them all, later before earlier like everybody: a review that arrives now waits, and then finds that the
    attempt was erased."""
    for attempt in Attempt.objects.locked().filter(user=user.pk).order_by("-pk"):
        if attempt.is_overdue(now):
            with locked(attempt, now=now):
                continue
        if attempt.status in OPEN:
            raise Conflict(
                _("An attempt of this person has not ended. Void it first, or wait for its end."), code="attempt_open"
            )


def _erase(said: Said, found: Found, *, now: datetime) -> tuple[Counter[str], list[str]]:
    logged = mentions.rows_about(said.user_pk)
    vendors, retired = promise_forgetting(said.user_pk, now=now)
    counts: Counter[str] = Counter(pseudonym=retired)
    # What is emptied whole comes first: it is not counted again, and nothing in it is unclear.
    counts["webhookmessage"] += mentions.blank_messages(said.user_pk, found.messages, now=now)
    counts.update(erase_rows(said.user_pk, now=now))
    counts["idempotencyrecord"] += mentions.blank_answers(said)
    counts["logentry"] += mentions.blank_log_entries(logged)
    mentions.search_what_changes(said, found)
    mentions.refuse_held(found)
    counts.update(mentions.remove_from_others(found.words, said, now=now))
    counts.update(mentions.clean_errors(said.theirs))
    return counts, vendors
