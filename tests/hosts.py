"""Learning management systems for the tests: subclasses of ``Host``, and the way to configure one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from proctoring.host import Host, Prerequisite, PrerequisiteState, Role, host


class ScriptedHost(Host):
    """Answers what a test wrote into its attributes; where it wrote nothing, what ``Host`` answers."""

    def __init__(self) -> None:
        self.required: list[Prerequisite] = []
        self.barred: set[Any] = set()
        """Primary keys of people without the right to take exams."""
        self.blind: set[Any] = set()
        """Primary keys of people who may not see the course."""
        self.opens_without_attempt = False
        self.opens_inactive = False
        self.cascades = False
        self.course_end: datetime | None = None
        self.roles: set[tuple[Any, str, Role]] = set()
        """Who holds what where: primary key, course, role. In addition to Django's permissions."""

    def require(self, state: PrerequisiteState, name: str = "identity") -> None:
        self.required.append(Prerequisite(name=name, label=name.title(), state=state, url=f"/{name}"))

    def courses_with_role(self, user: Any, role: Role) -> Collection[str] | None:
        if user.is_active and user.has_perm(role.value):
            return None
        return [course for pk, course, held in self.roles if pk == user.pk and held == role]

    def may_see_course(self, user: Any, course_id: str) -> bool:
        return user.pk not in self.blind and super().may_see_course(user, course_id)

    def may_take(self, user: Any, course_id: str, content_id: str) -> bool:
        return user.pk not in self.barred and super().may_take(user, course_id, content_id)

    def may_open_without_attempt(self, user: Any, course_id: str, content_id: str) -> bool:
        return self.opens_without_attempt

    def may_open_inactive(self, user: Any, course_id: str, content_id: str) -> bool:
        return self.opens_inactive

    def prerequisites(self, user: Any, course_id: str, content_id: str) -> Sequence[Prerequisite]:
        return self.required

    def cascades_opt_out(self, user: Any, course_id: str) -> bool:
        return self.cascades

    def course_ends_at(self, course_id: str) -> datetime | None:
        return self.course_end


class NotAHost:
    """What nobody should name in ``PROCTORING["HOST"]``."""


def configure(settings: Any, **keys: Any) -> None:
    """Set keys of ``PROCTORING`` for one test, through pytest-django's ``settings``."""
    settings.PROCTORING = {**settings.PROCTORING, **keys}


def scripted(settings: Any) -> ScriptedHost:
    """Configure ``ScriptedHost`` for one test and return the instance in use."""
    configure(settings, HOST="tests.hosts.ScriptedHost")
    instance = host()
    assert isinstance(instance, ScriptedHost)
    return instance
