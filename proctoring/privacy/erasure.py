"""Forget a person: all that is personal in our rows and their versions, and at the vendors.

One transaction: of an erasure that was killed nothing has happened, and it is simply run again. Only the search for who
else is told of the person comes before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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
from proctoring.privacy.places import Said, newest
from proctoring.privacy.vendors import promise_forgetting
from proctoring.privacy.words import Words

if TYPE_CHECKING:
    from proctoring.host import User


def erase_user(user: User, *, by: User | None, reason: str, now: datetime | None = None) -> DeletionCertificate:
    """Erase a person and certify it. Attempts stay as statistics; the account is the LMS's, and is not touched.

    Vendors are told through the outbox; the ids by which they know the person go when they have confirmed. Erasing
    again erases what came since; where nothing did, the last certificate is returned.

    Raises ``Conflict``: ``legal_hold``, also on others beside whom they are named; ``attempt_open`` while an attempt
    has not ended (whoever erases decides first whether to void it); ``call_in_hand`` while a vendor is being called.
    Raises ``InvalidInput`` without a reason, ``NotConfigured`` without ``PSEUDONYM_KEYS``. Takes as long as it takes to
    open all kept messages of their courses and of no single attempt, and the database to read what people wrote.
    """
    now = now or timezone.now()
    if not reason.strip():
        raise InvalidInput(errors={"reason": [_("Say why.")]})
    subjects = subjects_of(user.pk)
    names, ids = mentions.names_of(user), mentions.ids_of(user.pk)
    said, found, searched = Said(names, ids), Found(), newest(mentions.searched_models())
    mentions.search(user.pk, said, found, after=dict.fromkeys(searched, 0))
    with transaction.atomic():
        _lock_attempts(user, now=now)
        lock_person(user.pk)
        refuse_under_hold(user.pk)
        _search_again(user.pk, said, found, searched)
        mentions.refuse_held(found)
        counts, vendors = _erase(user, names, ids, found, now=now)
        if not any(counts.values()):
            earlier = DeletionCertificate.objects.filter(kind=CertificateKind.ERASURE, subject__in=subjects).first()
            if earlier is not None:
                return earlier
        return make_certificate(
            CertificateKind.ERASURE,
            subject=subjects[0],
            reason=mentions.every_word_of(names).without(reason.strip()),
            counts=counts,
            vendors=vendors,
            now=now,
            by=by,
        )


def _search_again(user_pk: int, said: Said, found: Found, searched: Mapping[type[Model], int]) -> None:
    """What came since the search began, and what can only be searched now."""
    grown = {model: searched[model] for model, key in newest(searched).items() if key > searched[model]}
    mentions.search(user_pk, said, found, after=grown)
    mentions.search_what_changes(user_pk, said, found)


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


def _erase(user: User, names: Words, ids: Words, found: Found, *, now: datetime) -> tuple[Counter[str], list[str]]:
    logged = mentions.rows_about(user.pk)
    vendors, retired = promise_forgetting(user.pk, now=now)
    counts: Counter[str] = Counter(pseudonym=retired)
    # What is emptied whole comes first, and is not counted again.
    counts["webhookmessage"] += mentions.blank_messages(user.pk, found.messages, now=now)
    counts.update(erase_rows(user.pk, now=now))
    counts["idempotencyrecord"] += mentions.blank_answers(user.pk, names)
    counts["logentry"] += mentions.blank_log_entries(logged)
    counts.update(mentions.remove_from_others(found.words, Said(names, ids), now=now))
    counts.update(mentions.clean_errors(Words((*names.texts, *ids.texts))))
    return counts, vendors
