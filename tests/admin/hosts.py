"""A host that reads a person's role from their name: ``staff-of-algebra`` is course staff of ``algebra``."""

from collections.abc import Collection

from proctoring.host import Host, Role, User


class CourseHost(Host):
    def has_role(self, user: User, course_id: str, role: Role) -> bool:
        return bool(user.is_active and user.get_username() == f"{role.name.lower()}-of-{course_id}")

    def courses_with_role(self, user: User, role: Role) -> Collection[str] | None:
        name, _, course_id = user.get_username().partition("-of-")
        return [course_id] if name == role.name.lower() else []
