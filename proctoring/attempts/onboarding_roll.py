"""The people of a course and their onboarding, as staff list them: one query, at the same cost in any course."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, F, FilteredRelation, OuterRef, Q, QuerySet

from proctoring.attempts.models import Attempt, OnboardingProfile
from proctoring.attempts.standing import in_standing
from proctoring.exams.models import ExamType
from proctoring.host import host

PREFIX = "onboarding_"
FIELDS = ("status", "course_id", "expires_at", "approved_course_id")


def course_people(course_id: str, *, backend: str) -> QuerySet[Any]:
    """The enrolled, where the host knows them, else those with an attempt at an exam that is proctored or leads to one;
    each with the profile at this vendor, for ``profile_of`` and ``only``."""
    people: QuerySet[Any] | None = host().enrolled(course_id)
    if people is None:
        kinds = (ExamType.ONBOARDING, ExamType.PROCTORED)
        sat = Attempt.objects.filter(user=OuterRef("pk"), exam__course_id=course_id, exam__exam_type__in=kinds)
        people = get_user_model()._default_manager.filter(Exists(sat))
    relation = FilteredRelation("proctoring_profiles", condition=Q(proctoring_profiles__backend=backend))
    annotations = {PREFIX + name: F(f"_profile__{name}") for name in FIELDS}
    return people.annotate(_profile=relation).annotate(**annotations)


def only(people: QuerySet[Any], words: Iterable[str], course_id: str, now: datetime) -> QuerySet[Any]:
    """Those who stand like one of these words."""
    return people.filter(in_standing(words, course_id, now, prefix=PREFIX))


def profile_of(person: Any) -> OnboardingProfile | None:
    """The profile that came with a row of ``course_people``; never to be saved."""
    values = {name: getattr(person, PREFIX + name) for name in FIELDS}
    return OnboardingProfile(user_id=person.pk, **values) if values["status"] is not None else None
