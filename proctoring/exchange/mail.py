"""Send a mail about an attempt: its words from templates, in the person's language and zone, from current rows."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings as django_settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.utils import DNS_NAME
from django.template.loader import select_template
from django.utils import timezone, translation

from proctoring.attempts.chains import UNDECIDED_ENDS, committed_status
from proctoring.attempts.mails import VERDICTS, MailName
from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.states import Phase
from proctoring.conf import settings
from proctoring.exchange.outcomes import Apply, MailFailed, Moot, nothing_to_apply
from proctoring.host import User, host
from proctoring.outbox.models import Delivery

logger = logging.getLogger(__name__)

LAST_TEMPORARY = 499
"""SMTP answers up to here ask to try again; those above are final."""


def send(delivery: Delivery) -> Apply:
    """Send it. Raises ``Moot`` where there is nobody to write to or what it says no longer holds, ``MailFailed``."""
    attempt = Attempt.objects.select_related("exam", "user").get(pk=delivery.target_id)
    name = MailName(delivery.argument)
    if attempt.erased_at is not None or not attempt.user.is_active:
        raise Moot("the account is erased or not active")
    address = host().email(attempt.user).strip()
    if not address:
        raise Moot("the account has no address")
    if not _still_holds(name, attempt):
        raise Moot("it no longer says how things stand")
    message = compose(name, attempt, address, key=delivery.key)
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as refused:
        final = all(code > LAST_TEMPORARY for code, _ in refused.recipients.values())
        raise MailFailed("the address was refused", retryable=not final) from refused
    except Exception as failure:
        # A server's words repeat addresses: they go to the log.
        logger.exception("mail %s could not be sent", delivery.pk)
        raise MailFailed(f"{type(failure).__name__}, see the log") from failure
    return nothing_to_apply


def compose(name: MailName, attempt: Attempt, address: str, *, key: str) -> EmailMultiAlternatives:
    """The mail with its text and HTML. The key makes its Message-ID, so that a repetition is seen to be one."""
    escalation = host().escalation_email(attempt.exam.course_id)
    with _in_the_words_of(attempt.user) as zone:
        context = _context(attempt, escalation=escalation, zone=zone)
        subject = _render("subject.txt", name, attempt, context)
        text = _render("body.txt", name, attempt, context)
        html = _render("body.html", name, attempt, context)
    message = EmailMultiAlternatives(
        subject=" ".join(subject.split()),
        body=text.strip() + "\n",
        from_email=settings.mail_from or django_settings.DEFAULT_FROM_EMAIL,
        to=[address],
        reply_to=[escalation] if escalation else None,
        headers={"Auto-Submitted": "auto-generated", "Message-ID": f"<{key}@{DNS_NAME}>"},
    )
    message.attach_alternative(html, "text/html")
    return message


def _still_holds(name: MailName, attempt: Attempt) -> bool:
    if name in VERDICTS.values():
        return VERDICTS.get(committed_status(attempt)) == name
    if name == MailName.RESUME_AUTHORISED:
        return attempt.retry_kind == RetryKind.RESUME and not attempt.resumed_by.exists()
    return attempt.traits.phase in (Phase.ENDED, Phase.DECIDED)


def _context(attempt: Attempt, *, escalation: str, zone: str) -> dict[str, Any]:
    """What templates may show. Nothing that a vendor has written, and of the person the name alone."""
    return {
        "exam_name": attempt.exam.name,
        "exam_type": attempt.exam.exam_type,
        "status": attempt.status,
        "is_undecided": attempt.status in UNDECIDED_ENDS,
        "how_it_ended": _how_it_ended(attempt),
        "full_name": host().full_name(attempt.user),
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "timezone": zone,
        "course_url": _absolute(host().course_url(attempt.exam.course_id)),
        "escalation_email": escalation,
    }


def _how_it_ended(attempt: Attempt) -> str:
    if attempt.submitted_at is not None:
        return "submitted"
    return "timed_out" if attempt.ended_by_deadline else "terminated"


def _render(part: str, name: MailName, attempt: Attempt, context: dict[str, Any]) -> str:
    """The vendor's own version of the template where there is one, else the common one."""
    names = [f"proctoring/mail/{attempt.backend}/{name}/{part}", f"proctoring/mail/{name}/{part}"]
    return select_template(names).render(context)


@contextmanager
def _in_the_words_of(user: User) -> Iterator[str]:
    """The person's language and zone; yields the zone's name. What the host answers wrong does not keep a mail back."""
    try:
        language = translation.get_supported_language_variant(host().language(user))
    except LookupError:
        language = django_settings.LANGUAGE_CODE
    try:
        zone = ZoneInfo(host().timezone(user))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = ZoneInfo("UTC")
    with translation.override(language), timezone.override(zone):
        yield zone.key


def _absolute(url: str) -> str:
    """An address that works in a mail; empty where there is none."""
    absolute = urljoin(f"{settings.lms_host.rstrip('/')}/", url) if url else ""
    return absolute if urlsplit(absolute).scheme in ("http", "https") else ""
