"""Fill an empty LMS with its course and its people; a filled one stays as it is."""

from django.contrib.auth.models import Permission, User
from django.db import transaction

from demo import course as content
from demo.course import LOGINS, Login
from demo.lms.models import Course, Enrollment, Question
from proctoring.attempts.schedule import register_exams

STAFF_MAY_CHANGE = ("exam", "attempt", "review")


@transaction.atomic
def fill() -> None:
    """Create what is missing. Exams go the way that any LMS's exams go: one idempotent registration."""
    course, _ = Course.objects.get_or_create(
        slug=content.SLUG, defaults={"title": content.TITLE, "description": content.DESCRIPTION}
    )
    for content_id, items in content.QUESTIONS.items():
        for position, item in enumerate(items, start=1):
            Question.objects.update_or_create(
                course=course,
                content_id=content_id,
                position=position,
                defaults={"text": item.text, "choices": list(item.choices)},
            )
    candidate, staff, admin = (_person(login) for login in LOGINS)
    _enroll(course, candidate, Enrollment.Role.CANDIDATE)
    _enroll(course, staff, Enrollment.Role.STAFF)
    _enroll(course, admin, Enrollment.Role.STAFF)
    register_exams(content.SLUG, content.EXAMS, by=admin)


def _person(login: Login) -> User:
    found = User.objects.filter(username=login.name).first()
    if found is not None:
        return found
    first_name, last_name = login.full_name.split()
    person = User.objects.create_user(
        login.name,
        f"{login.name}@example.org",
        login.name,
        first_name=first_name,
        last_name=last_name,
        is_staff=login.name != "candidate",
        is_superuser=login.name == "admin",
    )
    if login.name == "staff":
        person.user_permissions.set(_staff_permissions())
    return person


def _staff_permissions() -> list[Permission]:
    """To see everything of proctoring in the admin, and to change what course staff change."""
    found = Permission.objects.filter(content_type__app_label="proctoring")
    changing = {f"change_{model}" for model in STAFF_MAY_CHANGE}
    return [one for one in found if one.codename.startswith("view_") or one.codename in changing]


def _enroll(course: Course, user: User, role: Enrollment.Role) -> None:
    Enrollment.objects.get_or_create(course=course, user=user, defaults={"role": role})
