"""A person is named in every column in which that is possible, in rows that are about somebody else."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractUser
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Model

from proctoring.attempts.models import Attempt, OnboardingProfile
from proctoring.exams.models import Exam
from proctoring.inbox.models import MessageStatus
from proctoring.invigilation.models import BulkAction
from proctoring.monitoring.models import Command
from proctoring.privacy.certificates import digest, make_certificate
from proctoring.privacy.holds import place_hold, release_hold
from proctoring.privacy.models import CertificateKind, DeletionCertificate
from proctoring.privacy.places import Place, places
from proctoring.reviews.models import Review, ReviewComment
from tests.factories import (
    TEN,
    AllowanceFactory,
    BookingFactory,
    DeliveryFactory,
    EventFactory,
    LiveSessionFactory,
    MessageFactory,
    at,
)
from tests.privacy.conftest import EMAIL, EXTERNAL, NAME, USERNAME, a_strangers_attempt


def talk(exam: Exam, person: AbstractUser, officer: AbstractUser) -> list[str]:
    """Fill all places. Returns what has to be left of each."""
    _rows_about_others(exam, person, officer)
    left = [one for place in places() for one in _fill(place, person)]
    for certificate in DeletionCertificate.objects.all():
        certificate.digest = digest(certificate)
        certificate.save()
    return left


def _rows_about_others(exam: Exam, person: AbstractUser, officer: AbstractUser) -> None:
    attempt = a_strangers_attempt(exam, officer)
    otto = attempt.user
    AllowanceFactory(user=otto, course_id=exam.course_id)
    OnboardingProfile.objects.create(user=otto, backend="vendor", status="verified")
    review = Review.objects.create(attempt=attempt, status="passed", payload={}, occurred_at=TEN, received_at=TEN)
    ReviewComment.objects.create(review=review, text="x")
    booking = BookingFactory(exam=exam)
    for number, one in enumerate((otto, person), start=1):
        LiveSessionFactory(booking=booking, user=one, candidate_number=number)
    booking.log.create(course_id=exam.course_id, at=TEN)
    DeliveryFactory(target="exam", target_id=exam.pk, status="given_up")
    MessageFactory(attempt=attempt, status=MessageStatus.PROCESSED)
    for about in (attempt, None):
        EventFactory(exam=exam, attempt=about, status="")
    BulkAction.objects.create(by=officer, action="flag", reason_code=10030, created_at=TEN).items.create(
        asked=attempt.pk, attempt=attempt
    )
    Command.objects.create(attempt=attempt, kind="message", sent_at=TEN)
    release_hold(place_hold(course_id=exam.course_id, by=officer, reason="x", now=TEN), by=officer, now=at(11, 0))
    make_certificate(CertificateKind.ERASURE, counts={}, now=TEN, subject="of-somebody")
    LogEntry.objects.create(
        user=officer,
        content_type=ContentType.objects.get_for_model(Attempt),
        object_id=str(attempt.pk),
        object_repr="x",
        action_flag=CHANGE,
        change_message="x",
    )


def _fill(place: Place, person: AbstractUser) -> list[str]:
    model: type[Model] = place.model
    rows = model._base_manager.all()
    if place.about is not None:
        rows = rows.exclude(place.about(person.pk))
    keys = list(rows.values_list("pk", flat=True))
    assert keys, f"{model.__name__}: nothing is about others"
    left = []
    for name in (*place.texts, *place.titles):
        said, remains = _sentence(f"{model.__name__}-{name}", getattr(model._meta.get_field(name), "max_length", None))
        model._base_manager.filter(pk__in=keys).update(**{name: _as_it_is_kept(model, name, said)})
        left.append(remains)
    return left


def _sentence(where: str, longest: int | None) -> tuple[str, str]:
    """What is said, and what is left of it."""
    names = [USERNAME.upper()] if (longest or 100) < 100 else [NAME.upper(), EMAIL, USERNAME, EXTERNAL]
    removed = ["[removed]"] * len(names)
    return tuple(f"{where}: not {', '.join(told)} but Otto" for told in (names, removed))  # type: ignore[return-value]


def _as_it_is_kept(model: type[Model], name: str, said: str) -> Any:
    is_json = not isinstance(model._meta.get_field(name), models.TextField | models.CharField)
    # The package's JSON is a text for Django.
    if is_json or name in {"payload", "rules"}:
        return {"said": [said], said: 1, "n": 17}
    return said
