"""What proctoring wants to know of this LMS."""

from collections.abc import Collection

from django.urls import reverse

from demo.lms.models import Enrollment
from proctoring.host import Host, Role, User


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

    def _courses(self, user: User, *roles: str) -> Collection[str]:
        if not user.is_active:
            return ()
        found = Enrollment.objects.filter(user=user.pk, role__in=roles)
        return set(found.values_list("course__slug", flat=True))
