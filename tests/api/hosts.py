"""The learning management system of the API's tests: roles are held in courses."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from proctoring.host import Role
from tests.hosts import ScriptedHost


class CourseHost(ScriptedHost):
    def has_role(self, user: Any, course_id: str, role: Role) -> bool:
        return user.is_superuser or (user.pk, course_id, role) in self.roles

    def courses_with_role(self, user: Any, role: Role) -> Collection[str] | None:
        if user.is_superuser:
            return None
        return [course for key, course, held in self.roles if (key, held) == (user.pk, role)]

    def visible_courses(self, user: Any) -> Collection[str] | None:
        return () if user.pk in self.blind else None
