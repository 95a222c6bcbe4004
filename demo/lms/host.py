"""What proctoring wants to know of this LMS."""

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.urls import reverse

from demo.lms.models import (
    Answer,
    CertificateHold,
    Completion,
    Course,
    CreditRequirement,
    Enrollment,
    GradeOverride,
    SupportNote,
)
from proctoring.host import CreditStatus, Host, Role, User

SUPPORT = "exam-support@example.org"


class LmsHost(Host):
    def courses_with_role(self, user: User, role: Role) -> Collection[str] | None:
        if user.is_active and user.is_superuser:
            return None
        return self._courses(user, Enrollment.Role.STAFF)

    def visible_courses(self, user: User) -> Collection[str] | None:
        return self._courses(user, *Enrollment.Role)

    def exam_url(self, course_id: str, content_id: str) -> str:
        return reverse("questions", args=[course_id, content_id])

    def course_url(self, course_id: str) -> str:
        return reverse("course", args=[course_id])

    def enrolled(self, course_id: str) -> QuerySet[Any]:
        candidates = Enrollment.objects.filter(course__slug=course_id, role=Enrollment.Role.CANDIDATE)
        return get_user_model().objects.filter(pk__in=candidates.values("user"))

    def timezone(self, user: User) -> str:
        return settings.TIME_ZONE

    def escalation_email(self, course_id: str) -> str:
        return SUPPORT

    # What proctoring does to this LMS. Each may be called again: twice done is as good as once.

    def set_credit_requirement(
        self, user: User, course_id: str, content_id: str, status: CreditStatus, *, key: str
    ) -> None:
        CreditRequirement.objects.update_or_create(
            course=_course(course_id), user=user, content_id=content_id, defaults={"status": status.value}
        )

    def override_grade(self, user: User, course_id: str, content_id: str, *, key: str) -> None:
        GradeOverride.objects.get_or_create(course=_course(course_id), user=user, content_id=content_id)

    def undo_grade_override(self, user: User, course_id: str, content_id: str, *, key: str) -> None:
        GradeOverride.objects.filter(course__slug=course_id, user=user, content_id=content_id).delete()

    def invalidate_certificate(self, user: User, course_id: str, *, key: str) -> None:
        CertificateHold.objects.get_or_create(course=_course(course_id), user=user)

    def restore_certificate(self, user: User, course_id: str, *, key: str) -> None:
        CertificateHold.objects.filter(course__slug=course_id, user=user).delete()

    def complete_content(self, user: User, course_id: str, content_id: str, *, key: str) -> None:
        Completion.objects.get_or_create(course=_course(course_id), user=user, content_id=content_id)

    def reset_learner_state(self, user: User, course_id: str, content_id: str, *, key: str) -> None:
        Answer.objects.filter(question__course__slug=course_id, question__content_id=content_id, user=user).delete()
        Completion.objects.filter(course__slug=course_id, user=user, content_id=content_id).delete()

    def notify_support(self, course_id: str, content_id: str, *, review_status: str, attempt_id: int, key: str) -> None:
        SupportNote.objects.get_or_create(
            key=key,
            defaults={
                "course": _course(course_id),
                "content_id": content_id,
                "attempt_id": attempt_id,
                "review_status": review_status,
            },
        )

    def _courses(self, user: User, *roles: str) -> Collection[str]:
        if not user.is_active:
            return ()
        found = Enrollment.objects.filter(user=user.pk, role__in=roles)
        return set(found.values_list("course__slug", flat=True))


def _course(course_id: str) -> Course:
    return Course.objects.get(slug=course_id)
