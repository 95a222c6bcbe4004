"""One course's people see and change nothing of another: every page, filter, search, action and guess, of every model.

A model that gets a page must get a row in ``conftest.rows_of_a_course``; all questions are then asked about it as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.db.models import ForeignKey, Model
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, reverse

from proctoring.admin.booking_steps import STEPS as BOOKING_STEPS
from proctoring.allowances.models import Allowance
from proctoring.attempts.models import Attempt
from proctoring.bookings.models import Booking
from proctoring.exams.models import Exam
from proctoring.host import Role
from tests.factories import UserFactory
from tests.hosts import ScriptedHost, scripted

from .conftest import rows_of_a_course

pytestmark = [pytest.mark.django_db, pytest.mark.long]

HIDDEN, OWN = "hidden-course", "own-course"
SECRETS = ("hidden-course", "Hidden exam", "hidden-candidate", "hidden-block", "Hidden note")
"""None of these may be read by who has no role in the hidden course."""

MODELS = sorted(model._meta.model_name or "" for model in admin.site._registry if model._meta.app_label == "proctoring")

GUESSES = (
    "course_id",
    "course",
    "exam",
    "exam__id__exact",
    "exam__course_id",
    "exam__course_id__startswith",
    "exam__name__contains",
    "user__username",
    "user__username__startswith",
    "user__password__startswith",
    "user__proctoring_attempts__exam__course_id",
    "attempt__exam__course_id",
    "attempt__user__username",
    "attempt__code__startswith",
    "attempt__id__exact",
    "attempts__user__username",
    "resumed_from__user__username",
    "retry_granted_by__username",
    "granted_by__username",
    "by__username",
    "items__attempt__user__username",
    "items__asked",
    "sessions__user__username",
    "sessions__sealed_join_url__startswith",
    "plan__exam__course_id",
    "plan__id__exact",
    "booking__id__exact",
    "booking__exam__course_id",
    "session__user__username",
    "session__sealed_join_url",
    "claimed_by",
    "history__status",
    "id__in",
    "pk",
)


@pytest.fixture
def hidden() -> dict[str, Model]:
    return rows_of_a_course(HIDDEN, "Hidden")


@pytest.fixture
def own() -> dict[str, Model]:
    return rows_of_a_course(OWN, "Own")


@pytest.fixture
def lms(settings: Any) -> ScriptedHost:
    return scripted(settings)


@pytest.fixture
def enter(lms: ScriptedHost) -> Callable[..., Client]:
    """Log in somebody with these roles in these courses."""

    def log_in(*roles: tuple[str, Role], **fields: Any) -> Client:
        user = UserFactory(is_staff=True, **fields)
        lms.roles |= {(user.pk, course, role) for course, role in roles}
        client = Client(raise_request_exception=True)
        client.force_login(user)
        return client

    return log_in


STRANGERS: dict[str, tuple[tuple[str, Role], ...]] = {
    "staff of another course": ((OWN, Role.STAFF),),
    "invigilator of another course": ((OWN, Role.INVIGILATOR),),
    "reviewer of another course": ((OWN, Role.REVIEWER),),
    "planner of another course": ((OWN, Role.PLANNER),),
    "service desk of another course": ((OWN, Role.SERVICE_DESK),),
    "all roles in another course": tuple((OWN, role) for role in Role if role != Role.PRIVACY_OFFICER),
    "candidate with a staff account": (),
}


@pytest.fixture(params=sorted(STRANGERS))
def stranger(request: pytest.FixtureRequest, enter: Callable[..., Client]) -> Client:
    return enter(*STRANGERS[request.param])


@pytest.fixture(params=["all roles in another course", "candidate with a staff account"])
def strongest_stranger(request: pytest.FixtureRequest, enter: Callable[..., Client]) -> Client:
    """For questions of many requests: who has all roles is shown whatever one role alone is shown."""
    return enter(*STRANGERS[request.param])


def url(model: str, page: str, *args: Any) -> str:
    return reverse(f"admin:proctoring_{model}_{page}", args=args)


def model_admin(model: str) -> Any:
    return admin.site._registry[apps.get_model("proctoring", model)]


def everything() -> dict[str, list[Any]]:
    """Every row of the app, history included."""
    return {
        model.__name__: list(model._base_manager.order_by("pk").values_list())
        for model in apps.get_app_config("proctoring").get_models()
    }


def assert_reveals_nothing(response: Any) -> None:
    text = response.getvalue().decode()
    assert [secret for secret in SECRETS if secret in text] == []


def test_every_model_with_a_page_has_a_row_here(hidden: dict[str, Model]) -> None:
    assert set(MODELS) <= set(hidden)


@pytest.mark.parametrize("model", MODELS)
def test_stranger_finds_the_row_on_no_page(
    stranger: Client, hidden: dict[str, Model], own: dict[str, Model], model: str
) -> None:
    row = hidden[model]
    response = stranger.get(url(model, "changelist"))
    assert response.status_code in (200, 403)
    assert_reveals_nothing(response)
    pages = [("change", row.pk), ("history", row.pk), ("delete", row.pk)]
    if hasattr(type(row), "history"):
        pages.append(("simple_history", row.pk, type(row).history.filter(id=row.pk).latest().pk))  # type: ignore[attr-defined]
    if model == "attempt":
        pages += [("step", row.pk, step) for step in ("extend", "message", "flag", "reload", "void", "verify")]
    if model == "bulkaction":
        pages.append(("undo", row.pk))
    if model == "booking":
        pages += [("step", row.pk, step) for step in BOOKING_STEPS]
    before = everything()
    for page, *args in pages:
        for ask in (stranger.get, stranger.post):
            response = ask(url(model, page, *args))
            assert response.status_code in (302, 403, 404), (page, response.status_code)
            assert_reveals_nothing(response)
            if response.status_code == 302:
                assert_reveals_nothing(stranger.get(response["Location"]))
    assert everything() == before


@pytest.mark.parametrize("model", MODELS)
def test_stranger_finds_nothing_by_filters(
    strongest_stranger: Client, hidden: dict[str, Model], own: dict[str, Model], boss: User, model: str
) -> None:
    address = url(model, "changelist")
    for name, value in choices_of_filters(model, boss):
        response = strongest_stranger.get(address, {name: value})
        assert response.status_code in (200, 302, 400, 403)
        assert_reveals_nothing(response) if value not in SECRETS else assert_no_rows_of(hidden[model], response)


def choices_of_filters(model: str, boss: User) -> Iterator[tuple[str, str]]:
    """All that the superuser could choose, who is offered the hidden course's as well."""
    client = Client()
    client.force_login(boss)
    listed = client.get(url(model, "changelist")).context["cl"]
    for spec in listed.filter_specs:
        for choice in spec.choices(listed):
            for part in choice["query_string"].removeprefix("?").split("&"):
                name, _, value = part.partition("=")
                if value:
                    yield name, value


def assert_no_rows_of(row: Model, response: Any) -> None:
    if response.status_code == 200:
        assert row.pk not in {found.pk for found in response.context["cl"].result_list}


@pytest.mark.parametrize("model", MODELS)
def test_stranger_finds_nothing_by_searching(
    stranger: Client, hidden: dict[str, Model], own: dict[str, Model], model: str
) -> None:
    row = hidden[model]
    for text in (*SECRETS, str(row.pk), "9" * 30, "\x00", "'", "%"):
        response = stranger.get(url(model, "changelist"), {"q": text})
        assert response.status_code in (200, 302, 400, 403)
        assert_no_rows_of(row, response)


@pytest.mark.parametrize("model", MODELS)
def test_stranger_finds_nothing_by_guessing_parameters(
    strongest_stranger: Client, hidden: dict[str, Model], own: dict[str, Model], model: str
) -> None:
    row = hidden[model]
    exam: Any = hidden["exam"]
    for name in GUESSES:
        for value in (HIDDEN, "hidden-candidate", "a", str(row.pk), str(exam.pk)):
            response = strongest_stranger.get(url(model, "changelist"), {name: value})
            assert response.status_code in (200, 302, 400, 403), (name, value)
            assert_no_rows_of(row, response)
            if name.count("__") > 1 and not name.endswith("__id__exact"):
                assert response.status_code != 200, name


@pytest.mark.parametrize("model", MODELS)
def test_stranger_can_do_nothing_to_the_row(
    stranger: Client, hidden: dict[str, Model], own: dict[str, Model], boss: User, model: str
) -> None:
    row = hidden[model]
    before = everything()
    for action in actions_of(model, boss):
        fields = {"comment": "x", "reason_code": 10030, "minutes": 5, "text": "x", "confirmed": "yes", "post": "yes"}
        for extra in ({}, {"select_across": "1"}):
            form = {"action": action, ACTION_CHECKBOX_NAME: [row.pk], **fields, **extra}
            response = stranger.post(url(model, "changelist"), form)
            assert response.status_code in (200, 302, 403)
            assert_reveals_nothing(response)
        mine = own[model]
        assert untouched(before, everything(), besides=mine), action
        before = everything()


def actions_of(model: str, boss: User) -> list[str]:
    request = RequestFactory().get("/")
    request.user = boss
    return [*model_admin(model).get_actions(request), "delete_selected"]


def untouched(before: dict[str, list[Any]], after: dict[str, list[Any]], *, besides: Model) -> bool:
    """Whether nothing about the hidden course has changed. With ``select_across`` one's own rows are meant, rightly."""
    hidden_attempt = Attempt.objects.get(user__username="hidden-candidate").pk
    hidden_exam = Exam.objects.get(course_id=HIDDEN).pk
    hidden_bookings = set(Booking.objects.filter(exam=hidden_exam).values_list("pk", flat=True))
    whose = {"Attempt": {hidden_attempt}, "Exam": {hidden_exam}, "Booking": hidden_bookings}

    def about_hidden(rows: dict[str, list[Any]]) -> list[Any]:
        return [row for name, keys in whose.items() for row in rows[name] + rows[f"Historical{name}"] if row[0] in keys]

    acted_on = {*whose, "Allowance", "Review", "OnboardingProfile"}
    changed_kinds = {name for name in before if before[name] != after[name]}
    return about_hidden(before) == about_hidden(after) and (not changed_kinds or type(besides).__name__ in acted_on)


@pytest.mark.parametrize("model", MODELS)
def test_stranger_completes_no_name(
    stranger: Client, hidden: dict[str, Model], own: dict[str, Model], model: str
) -> None:
    for field in apps.get_model("proctoring", model)._meta.get_fields():
        if not isinstance(field, ForeignKey):
            continue
        for term in ("", "hidden", "Hidden"):
            query = {"app_label": "proctoring", "model_name": model, "field_name": field.name, "term": term}
            response = stranger.get(reverse("admin:autocomplete"), query)
            assert response.status_code in (200, 403)
            assert_reveals_nothing(response)


def test_stranger_is_offered_no_exam_to_plan(stranger: Client, hidden: dict[str, Model], own: dict[str, Model]) -> None:
    for term in ("", "hidden", HIDDEN, "hidden-block", "\x00"):
        response = stranger.get(reverse("admin:proctoring_booking_exams"), {"term": term})
        assert response.status_code in (200, 403)
        assert_reveals_nothing(response)


def test_a_null_byte_completes_nothing(boss_client: Client, own: dict[str, Model]) -> None:
    query = {"app_label": "proctoring", "model_name": "attempt", "field_name": "exam", "term": "\x00"}
    assert boss_client.get(reverse("admin:autocomplete"), query).json()["results"] == []


@pytest.mark.parametrize("model", MODELS)
def test_stranger_can_add_nothing_to_the_course(stranger: Client, hidden: dict[str, Model], model: str) -> None:
    before = everything()
    exam: Any = hidden["exam"]
    form = {
        "starts_at": "2031-03-01T10:00",
        "ends_at": "2031-03-01T12:00",
        "who": "listed",
        "candidates": "hidden-candidate",
        "ratio": 4,
        "course_id": HIDDEN,
        "content_id": "forged",
        "name": "Forged",
        "exam": exam.pk,
        "exam_type": "timed",
        "status": "active",
        "time_limit_minutes": 5,
        "heartbeat_seconds": 30,
        "outage_policy": "off",
        "user": "hidden-candidate",
        "person": "hidden-candidate",
        "kind": "extra_minutes",
        "minutes": 5,
        "outage_cap_minutes": 1,
        "rules": "{}",
        "reason": "x",
        "scope": HIDDEN,
        "note": "x",
    }
    try:
        address = url(model, "add")
    except NoReverseMatch:
        return
    response = stranger.post(address, form)
    assert response.status_code in (200, 403)
    assert everything() == before


def test_the_apps_page_and_the_index_name_nothing_hidden(
    stranger: Client, hidden: dict[str, Model], own: dict[str, Model]
) -> None:
    assert_reveals_nothing(stranger.get(reverse("admin:index")))
    for query in ({}, {"course": HIDDEN}):
        response = stranger.get("/admin/proctoring/", query)
        assert response.status_code in (200, 404)
        assert_reveals_nothing(response)


@pytest.mark.parametrize(
    ("role", "open_to"),
    [
        (Role.STAFF, {"attempt", "booking", "bookinglogentry", "bulkaction", "exam", "review"}),
        (Role.INVIGILATOR, {"attempt", "bulkaction", "review"}),
        (Role.REVIEWER, {"attempt", "review"}),
        (Role.PLANNER, {"booking", "bookinglogentry"}),
        (Role.SERVICE_DESK, {"booking", "bookinglogentry"}),
    ],
)
def test_role_opens_its_own_courses_pages(
    enter: Callable[..., Client], hidden: dict[str, Model], own: dict[str, Model], role: Role, open_to: set[str]
) -> None:
    person = enter((OWN, role))
    for model in ("attempt", "booking", "bookinglogentry", "bulkaction", "exam", "review"):
        listed = person.get(url(model, "changelist"))
        assert (listed.status_code == 200) is (model in open_to)
        assert (person.get(url(model, "change", own[model].pk)).status_code == 200) is (model in open_to)
        if listed.status_code == 200:
            assert [row.pk for row in listed.context["cl"].result_list] == [own[model].pk]
            assert_reveals_nothing(listed)


def test_related_links_of_ones_own_pages_lead_nowhere_hidden(
    enter: Callable[..., Client], hidden: dict[str, Model], own: dict[str, Model]
) -> None:
    """The same person sits exams of both courses: the page of one attempt says nothing of the other."""
    theirs: Any = own["attempt"]
    secret: Any = hidden["attempt"]
    Attempt.objects.filter(pk=secret.pk).update(user=theirs.user)
    Allowance.objects.filter(course_id=HIDDEN).update(user=theirs.user)
    page = enter((OWN, Role.STAFF)).get(url("attempt", "change", theirs.pk))
    assert page.status_code == 200
    assert_reveals_nothing(page)
    assert url("attempt", "change", secret.pk) not in page.content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_superuser_finds_both_courses(
    boss_client: Client, hidden: dict[str, Model], own: dict[str, Model], model: str
) -> None:
    found = set()
    # The log of events is read by exam.
    for query in [{"exam__id__exact": rows["exam"].pk} for rows in (hidden, own)] if model == "event" else [{}]:
        found |= {row.pk for row in boss_client.get(url(model, "changelist"), query).context["cl"].result_list}
    assert {hidden[model].pk, own[model].pk} <= found
