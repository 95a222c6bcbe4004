"""Exams: what may be saved, who sees which, and what the vendor is owed."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.db import IntegrityError, transaction

from proctoring.errors import Conflict, InvalidInput
from proctoring.exams.models import Exam, ExamStatus, ExamType
from proctoring.exams.services import EDITABLE, create_exam, record_exam_registration, update_exam
from proctoring.host import COURSE_ROLES, Role
from proctoring.outbox.models import Delivery, DeliveryStatus
from proctoring.signals import exam_saved
from tests.exchange.vendor import VENDOR
from tests.factories import AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import configure, scripted

pytestmark = pytest.mark.django_db

FIELDS: dict[str, Any] = {"course_id": "course", "content_id": "content", "name": "Exam", "time_limit_minutes": 60}


@pytest.fixture
def staff(db: None) -> AbstractUser:
    return UserFactory(is_superuser=True)


def test_an_exam_is_created_with_one_history_row_and_announced(
    staff: AbstractUser, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[Exam] = []

    def hear(exam: Exam, **_: Any) -> None:
        heard.append(exam)

    exam_saved.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            exam = create_exam(FIELDS, by=staff)
            assert heard == []
        assert heard == [exam]
    finally:
        exam_saved.disconnect(hear)
    assert (exam.status, exam.exam_type) == (ExamStatus.DRAFT, ExamType.PROCTORED)
    assert exam.history.get().history_user == staff


def test_a_course_has_one_exam_for_a_content(staff: AbstractUser) -> None:
    create_exam(FIELDS, by=staff)
    with pytest.raises(Conflict) as refused:
        create_exam(FIELDS, by=staff)
    assert refused.value.code == "exam_exists"
    assert create_exam({**FIELDS, "course_id": "other"}, by=staff).pk


WRONG = [
    ("time_limit_minutes", 0),
    ("time_limit_minutes", 10_081),
    ("time_limit_minutes", None),
    ("heartbeat_seconds", 10),
    ("heartbeat_seconds", 13),
    ("heartbeat_seconds", 3602),
    ("outage_cap_minutes", 1441),
    ("exam_type", "quiz"),
    ("status", "open"),
    ("outage_policy", "generous"),
    ("name", ""),
    ("name", "x" * 256),
    ("review_policy", "x" * 10_001),
    ("backend", "nobody"),
    ("rules", ["no", "object"]),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_refused_with_its_field(name: str, value: Any, staff: AbstractUser) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_exam({**FIELDS, name: value}, by=staff)
    assert list(refused.value.errors) == [name]
    exam = create_exam(FIELDS, by=staff)
    with pytest.raises(InvalidInput):
        update_exam(exam, {name: value}, by=staff)
    exam.refresh_from_db()
    assert getattr(exam, name) != value
    assert exam.history.count() == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("time_limit_minutes", 1), ("time_limit_minutes", 10_080), ("heartbeat_seconds", 12), ("heartbeat_seconds", 3600)],
)
def test_the_bounds_themselves_are_allowed(name: str, value: int, staff: AbstractUser) -> None:
    assert getattr(create_exam({**FIELDS, name: value}, by=staff), name) == value


@pytest.mark.parametrize("due_at", [at(9, 0), at(10, 0)])
def test_an_exam_closes_after_it_opens(due_at: Any, staff: AbstractUser) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_exam({**FIELDS, "opens_at": at(10, 0), "due_at": due_at}, by=staff)
    assert list(refused.value.errors) == ["due_at"]


@pytest.mark.parametrize("minutes", [0, 10_081])
def test_the_database_knows_the_bounds_of_the_time_limit(minutes: int) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ExamFactory(time_limit_minutes=minutes)


def test_an_update_of_nothing_saves_nothing(staff: AbstractUser) -> None:
    exam = create_exam(FIELDS, by=staff)
    assert update_exam(exam, {"name": "Exam", "rules": {}}, by=staff) is False
    assert exam.history.count() == 1
    assert update_exam(exam, {"name": "Other"}, by=staff) is True
    assert exam.history.count() == 2


def test_the_identity_of_an_exam_is_not_editable() -> None:
    assert not {"course_id", "content_id", "external_id", "id"} & set(EDITABLE)
    own = {field.name for field in Exam._meta.concrete_fields}
    assert own - set(EDITABLE) == {"id", "course_id", "content_id", "external_ids", "created_at", "modified_at"}


def test_the_vendor_is_owed_the_newest_state_once(staff: AbstractUser, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    exam = create_exam({**FIELDS, "backend": "vendor"}, by=staff)
    update_exam(exam, {"name": "Other"}, by=staff)
    rows = list(Delivery.objects.order_by("pk"))
    assert [row.status for row in rows] == [DeliveryStatus.SUPERSEDED, DeliveryStatus.DUE]
    assert {(row.operation, row.target, row.target_id, row.backend) for row in rows} == {
        ("register_exam", "exam", exam.pk, "vendor")
    }
    assert len({row.key for row in rows}) == 2


def test_no_vendor_is_owed_a_timed_exam_or_one_that_it_does_not_want(staff: AbstractUser, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    create_exam({**FIELDS, "backend": "vendor", "exam_type": ExamType.TIMED}, by=staff)
    create_exam({**FIELDS, "content_id": "second", "backend": "null"}, by=staff)
    assert not Delivery.objects.exists()


def test_a_vendor_that_cannot_be_loaded_now_is_owed_all_the_same(staff: AbstractUser, settings: Any) -> None:
    configure(settings, BACKENDS={"vendor": {"BACKEND": "no.such.Vendor"}})
    create_exam({**FIELDS, "backend": "vendor"}, by=staff)
    assert Delivery.objects.get().backend == "vendor"


def test_the_vendors_id_goes_when_the_vendor_does(staff: AbstractUser, settings: Any) -> None:
    configure(settings, BACKENDS={**VENDOR, "second": VENDOR["vendor"]})
    exam = create_exam({**FIELDS, "backend": "vendor"}, by=staff)
    record_exam_registration(exam.pk, "vendor", "exam-9")
    exam.refresh_from_db()
    assert exam.external_id == "exam-9"
    update_exam(exam, {"name": "Other"}, by=staff)
    assert exam.external_id == "exam-9"
    update_exam(exam, {"backend": "second"}, by=staff)
    assert exam.external_id == ""
    record_exam_registration(exam.pk, "vendor", "too-late")
    exam.refresh_from_db()
    assert exam.external_id == ""


def test_registering_the_same_id_again_writes_no_history(staff: AbstractUser, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    exam = create_exam({**FIELDS, "backend": "vendor"}, by=staff)
    record_exam_registration(exam.pk, "vendor", "exam-9")
    record_exam_registration(exam.pk, "vendor", "exam-9")
    assert exam.history.count() == 2


def test_the_vendor_in_charge_is_the_exams_own_else_the_default(settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR, DEFAULT_BACKEND="vendor")
    assert ExamFactory.build(exam_type=ExamType.PROCTORED).backend_alias == "vendor"
    assert ExamFactory.build(exam_type=ExamType.PROCTORED, backend="null").backend_alias == "null"
    assert ExamFactory.build(exam_type=ExamType.TIMED, backend="vendor").backend_alias == "null"


def test_people_see_active_exams_of_their_courses_what_they_sat_and_what_they_watch(settings: Any) -> None:
    lms = scripted(settings)
    active, draft, sat, elsewhere = (
        ExamFactory(),
        ExamFactory(status=ExamStatus.DRAFT),
        ExamFactory(status=ExamStatus.ARCHIVED),
        ExamFactory(course_id="elsewhere", status=ExamStatus.DRAFT),
    )
    person, watcher, boss, gone = (
        UserFactory(),
        UserFactory(),
        UserFactory(is_superuser=True),
        UserFactory(is_active=False),
    )
    AttemptFactory(exam=sat, user=person)
    for role in COURSE_ROLES:
        lms.roles = {(watcher.pk, "elsewhere", role)}
        assert set(Exam.objects.visible_to(watcher)) == {active, elsewhere}, role
    assert set(Exam.objects.visible_to(person)) == {active, sat}
    assert set(Exam.objects.visible_to(boss)) == {active, draft, sat, elsewhere}
    assert set(Exam.objects.visible_to(gone)) == set(Exam.objects.visible_to(AnonymousUser())) == set()
    assert set(Exam.objects.in_sight_of(person)) == {active, draft, sat, elsewhere}
    assert set(Exam.objects.in_sight_of(gone)) == set()


def test_one_persons_attempts_are_not_anothers(settings: Any) -> None:
    lms = scripted(settings)
    mine, theirs = AttemptFactory(), AttemptFactory(exam__course_id="elsewhere")
    model = type(mine)
    watcher = UserFactory()
    lms.roles = {(watcher.pk, "elsewhere", Role.REVIEWER)}
    assert list(model.objects.visible_to(mine.user)) == [mine]
    assert list(model.objects.visible_to(watcher)) == [theirs]
    assert set(model.objects.visible_to(UserFactory(is_superuser=True))) == {mine, theirs}
    assert list(model.objects.visible_to(AnonymousUser())) == []


def test_the_newest_attempt_of_each_person_is_found_by_the_database() -> None:
    old = AttemptFactory(status="error")
    new = AttemptFactory(exam=old.exam, user=old.user, number=2)
    other = AttemptFactory(exam=old.exam)
    assert set(type(old).objects.newest_each()) == {new, other}
    flags = dict(type(old).objects.for_reading().values_list("pk", "has_successor"))
    assert flags == {old.pk: True, new.pk: False, other.pk: False}
