"""The default host, and who may do what through it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission

from proctoring import permissions
from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from proctoring.host import COURSE_ROLES, Host, Role, host
from tests.factories import AttemptFactory, ExamFactory, UserFactory
from tests.hosts import ScriptedHost, configure, scripted

pytestmark = pytest.mark.django_db


def holder(*roles: Role) -> Any:
    user = UserFactory()
    for role in roles:
        user.user_permissions.add(Permission.objects.get(codename=role.value.split(".")[1]))
    return user


def test_the_host_is_one_instance_and_follows_the_settings(settings: Any) -> None:
    assert type(host()) is Host
    assert host() is host()
    configure(settings, HOST="tests.hosts.ScriptedHost")
    assert type(host()) is ScriptedHost


@pytest.mark.parametrize("role", list(Role), ids=str)
def test_a_role_is_a_permission_of_the_default_host(role: Role) -> None:
    user = holder(role)
    assert [one for one in Role if host().has_role(user, "course", one)] == [role]
    assert host().courses_with_role(user, role) is None
    user.is_active = False
    assert not host().has_role(user, "course", role)
    assert host().courses_with_role(user, role) == ()


def test_a_permission_may_come_from_a_group_and_from_another_backend(settings: Any) -> None:
    permission = Permission.objects.get(codename="invigilate")
    group = Group.objects.create(name="Invigilators")
    group.permissions.add(permission)
    user = UserFactory()
    user.groups.add(group)
    assert [one for one in Role if host().has_role(user, "course", one)] == [Role.INVIGILATOR]
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Generous", "django.contrib.auth.backends.ModelBackend"]
    assert host().has_role(UserFactory(), "course", Role.REVIEWER)


def test_a_privacy_officer_is_one_everywhere_and_sees_no_attempts_by_that() -> None:
    officer = holder(Role.PRIVACY_OFFICER)
    attempt = AttemptFactory()
    assert permissions.is_privacy_officer(officer)
    assert not permissions.may_watch(officer, attempt.exam.course_id)
    assert not Attempt.objects.visible_to(officer).exists()
    assert not permissions.is_privacy_officer(holder(*COURSE_ROLES))


class Generous:
    """An LMS's own backend, which knows of roles that no table holds."""

    def has_perm(self, user: Any, permission: str, obj: object = None) -> bool:
        return permission == Role.REVIEWER.value


def test_a_superuser_has_every_role_and_an_unknown_person_none() -> None:
    boss = UserFactory(is_superuser=True)
    assert all(host().has_role(boss, "course", role) for role in Role)
    assert not any(host().has_role(AnonymousUser(), "course", role) for role in Role)
    assert not host().may_take(AnonymousUser(), "course", "content")
    assert not host().may_see_course(AnonymousUser(), "course")


def test_a_verified_name_is_the_one_that_vendors_get() -> None:
    class Knowing(Host):
        def verified_name(self, user: Any) -> str:
            return "Augusta Ada King" if user.username == "ada" else ""

    ada, bob = (UserFactory(username=name, first_name="A", last_name="B") for name in ("ada", "bob"))
    assert (Knowing().full_name(ada), Knowing().full_name(bob)) == ("Augusta Ada King", "A B")


def test_what_an_lms_does_not_answer_has_a_safe_default() -> None:
    user = UserFactory()
    lms = host()
    assert lms.may_take(user, "course", "content")
    assert not lms.may_open_without_attempt(user, "course", "content")
    assert not lms.may_open_inactive(user, "course", "content")
    assert list(lms.prerequisites(user, "course", "content")) == []
    assert not lms.cascades_opt_out(user, "course")
    assert lms.course_ends_at("course") is None
    assert (lms.exam_url("c", "b"), lms.course_url("c"), lms.language(user)) == ("", "", "en")
    assert (lms.full_name(user), lms.email(user)) == ("Ada Lovelace", user.email)
    assert lms.full_name(UserFactory(username="u", first_name="", last_name="")) == "u"
    assert lms.email(UserFactory(email="")) == ""


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.STAFF, {"is_course_staff", "may_invigilate", "may_watch"}),
        (Role.INVIGILATOR, {"may_invigilate", "may_watch"}),
        (Role.REVIEWER, {"may_review", "may_watch"}),
        (None, set()),
    ],
)
def test_a_role_is_good_for_its_own_course_alone(role: Role | None, may: set[str], settings: Any) -> None:
    lms = scripted(settings)
    user = UserFactory()
    if role:
        lms.roles.add((user.pk, "here", role))
    names = ("is_course_staff", "may_invigilate", "may_review", "may_watch")
    assert {name for name in names if getattr(permissions, name)(user, "here")} == may
    assert not any(getattr(permissions, name)(user, "there") for name in names)


def test_lists_and_single_questions_agree(settings: Any) -> None:
    lms = scripted(settings)
    courses = ["a", "b", "c"]
    rows = {course: AttemptFactory(exam=ExamFactory(course_id=course)) for course in courses}
    people = [UserFactory(), UserFactory(is_superuser=True), UserFactory(is_active=False), holder(Role.REVIEWER)]
    for place, role in enumerate(COURSE_ROLES):
        person = UserFactory()
        lms.roles |= {(person.pk, "a", role), (person.pk, courses[place], Role.REVIEWER)}
        people.append(person)
    for person in people:
        watched = {course for course in courses if permissions.may_watch(person, course)}
        assert set(Attempt.objects.visible_to(person)) == {rows[course] for course in watched}
        staffed = {course for course in courses if permissions.is_course_staff(person, course)}
        found = Exam.objects.filter(permissions.staff_courses(person, "course_id"))
        assert {exam.course_id for exam in found} == staffed


def test_all_courses_and_no_courses_stay_so_in_every_combination() -> None:
    everything, nothing = permissions._among(None, "course_id"), permissions._among((), "course_id")
    ExamFactory(course_id="a")
    count = Exam.objects.count()
    assert Exam.objects.filter(everything | nothing).count() == count
    assert Exam.objects.filter(nothing | everything).count() == count
    assert Exam.objects.filter(nothing | nothing).count() == 0
    assert Exam.objects.filter(everything & nothing).count() == 0
    assert Exam.objects.exclude(everything).count() == 0
