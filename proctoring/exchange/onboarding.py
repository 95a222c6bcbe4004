"""The vendors' lists of onboarding profiles, course by course."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from proctoring.attempts.onboarding import apply_vendor_list, blocked_of, free_blocked
from proctoring.backends import backends
from proctoring.backends.base import Backend
from proctoring.backends.types import OnboardingPage
from proctoring.exams.models import Exam, ExamType
from proctoring.exchange.lists import VendorList
from proctoring.privacy.pseudonyms import people_of

REST = timedelta(minutes=15)


class OnboardingList(VendorList):
    """Scopes are courses."""

    name = "onboarding"
    flag = "supports_onboarding"
    rest = REST

    def next_scope(self, alias: str, after: str, *, now: datetime) -> str:
        """The next course with an exam of this vendor's for which onboarding matters."""
        named = Q(backend=alias)
        if alias == backends.default():
            named |= Q(backend="")
        exams = Exam.objects.active().filter(named, exam_type__in=(ExamType.ONBOARDING, ExamType.PROCTORED))
        courses = exams.filter(course_id__gt=after).order_by("course_id").values_list("course_id", flat=True)
        return courses.first() or ""

    def ask(self, backend: Backend, scope: str, cursor: str) -> OnboardingPage:
        return backend.list_onboarding(scope, cursor=cursor)

    def take_in(self, alias: str, scope: str, page: OnboardingPage, *, now: datetime) -> None:
        records = {record.candidate_id: record for record in page.records}
        # Ids that are nobody's here are other LMSs', or of people who were erased.
        people = people_of(alias, list(records))
        known = {user_id: records[value] for value, user_id in people.items()}
        if known:
            approved = apply_vendor_list(alias, scope, known, now=now)
            if approved:
                free_blocked(blocked_of(alias, approved), now=now)
