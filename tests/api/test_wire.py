"""What holds for every door: JSON, refusals in one shape, and nothing that the host's settings could break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.settings import api_settings

from proctoring.attempts.models import Attempt
from proctoring.errors import BackendError, BackendRejected, NotConfigured, NotPermitted, UnknownBackend
from proctoring.exams.models import Exam
from tests.api.conftest import ROOT, Person, refused


def nosy(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A middleware that looks into every form."""

    def middleware(request: HttpRequest) -> HttpResponse:
        len(request.POST)
        return get_response(request)

    return middleware


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            "{",
            "{'proctored': true}",
            '{"proctored": NaN}',
            '{"x": Infinity}',
            '{"x": 1e999}',
            '{"x": ' + "9" * 5000 + "}",
            b"\xff\xfe",
            b"\x00",
            "[" * 100_000,
            '{"a":' * 30 + "1" + "}" * 30,
        ],
    )
    def test_what_is_not_json_is_refused(self, candidate: Person, exam: Exam, body: bytes | str) -> None:
        refused(candidate.raw("POST", f"/exams/{exam.pk}/attempts/", body), 400, "parse_error")

    @pytest.mark.parametrize("body", ["[]", '"x"', "5", "true", "null", "[{}]"])
    def test_what_is_no_object_is_refused(self, candidate: Person, staff: Person, exam: Exam, body: str) -> None:
        refused(candidate.raw("POST", f"/exams/{exam.pk}/attempts/", body), 400, "invalid")
        refused(staff.raw("PATCH", f"/exams/{exam.pk}/", body), 400, "invalid")
        refused(staff.raw("POST", "/exams/", body), 400, "invalid")

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonx", "x"]
    )
    def test_another_media_type_is_refused(self, candidate: Person, exam: Exam, content_type: str) -> None:
        answer = candidate.raw("POST", f"/exams/{exam.pk}/attempts/", '{"proctored": true}', content_type)
        refused(answer, 415, "unsupported_media_type")

    @pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON;charset=bz2_codec"])
    def test_a_charset_changes_nothing(self, candidate: Person, exam: Exam, content_type: str) -> None:
        answer = candidate.raw("POST", f"/exams/{exam.pk}/attempts/", '{"proctored": true}', content_type)
        assert answer.status_code == 201

    def test_a_body_larger_than_the_host_allows(self, candidate: Person, exam: Exam, settings: Any) -> None:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
        path = f"/exams/{exam.pk}/attempts/"
        refused(candidate.raw("POST", path, '{"x": "' + "y" * 100 + '"}'), 413, "too_large")
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
        assert candidate.raw("POST", path, '{"x": "' + "y" * 100 + '"}').status_code == 201

    def test_an_action_without_fields_does_not_mind_how_it_is_sent(self, candidate: Person, attempt: Attempt) -> None:
        assert candidate.client.post(f"{ROOT}/attempts/{attempt.pk}/start/").status_code == 200

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("application/x-www-form-urlencoded", ""),
            ("multipart/form-data; boundary=x", ""),
            ("multipart/form-data; boundary=x", "--x--\r\n"),
            ("", ""),
        ],
    )
    def test_a_form_without_fields_is_no_body(
        self, candidate: Person, proctored: Exam, content_type: str, body: str
    ) -> None:
        url = f"{ROOT}/exams/{proctored.pk}/attempts/"
        # Django's client leaves the type out where there is no body, which other clients do not.
        answer = candidate.client.generic("POST", url, body, content_type, CONTENT_TYPE=content_type)
        assert answer.status_code == 201, answer.content
        assert (answer.json()["status"], answer.json()["taking_as_proctored"]) == ("created", True)

    def test_nor_where_the_hosts_middleware_has_read_it(self, candidate: Person, exam: Exam, settings: Any) -> None:
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.nosy"]
        assert candidate.client.post(f"{ROOT}/exams/{exam.pk}/attempts/").status_code == 201

    @pytest.mark.parametrize("body", ["proctored=false", "--x\r\n\r\n--x--", "-", "--x--y", "--" + "x" * 120 + "--"])
    @pytest.mark.parametrize("form", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
    def test_a_form_with_something_in_it_is_refused(self, candidate: Person, exam: Exam, body: str, form: str) -> None:
        refused(candidate.raw("POST", f"/exams/{exam.pk}/attempts/", body, form), 415, "unsupported_media_type")

    def test_a_lone_surrogate_in_a_comment(self, staff: Person, attempt: Attempt) -> None:
        body = '{"reason_code": 10030, "comment": "\\ud800"}'
        refused(staff.raw("POST", f"/attempts/{attempt.pk}/terminate/", body), 400, "invalid")


class TestAnswers:
    @pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "application/json; indent=8", "garbage"])
    def test_accept_changes_nothing(self, candidate: Person, accept: str) -> None:
        answer = candidate.client.get(f"{ROOT}/exams/?format=api", headers={"Accept": accept})
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
        assert b"\n" not in answer.content

    def test_answers_are_not_kept_on_the_way(self, candidate: Person) -> None:
        assert candidate.get("/exams/").headers["Cache-Control"] == "no-store"
        assert candidate.get("/exams/0/").headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("path", ["/", "/nothing/", "/exams/1/2/", "/attempts/1/nothing/"])
    def test_what_is_not_there_is_not_there_in_the_same_shape(
        self, nobody: Person, candidate: Person, path: str
    ) -> None:
        for method in ("GET", "POST", "DELETE"):
            refused(nobody.raw(method, path, ""), 401, "not_authenticated")
            refused(candidate.raw(method, path, ""), 404, "not_found")

    @pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PUT", "TRACE", "PATCH"])
    def test_another_method(self, candidate: Person, method: str) -> None:
        answer = candidate.raw(method, "/exams/", "")
        refused(answer, 405, "method_not_allowed")
        assert "GET" in answer.headers["Allow"]

    def test_a_head_is_a_get_without_its_body(self, candidate: Person) -> None:
        answer = candidate.client.head(f"{ROOT}/exams/")
        assert (answer.status_code, answer.content) == (200, b"")

    @pytest.mark.parametrize(
        ("error", "status", "retry"),
        [
            (NotPermitted("No"), 403, None),
            (BackendError("Gone"), 503, "30"),
            (BackendError("Busy", retry_after=61.2), 503, "62"),
            (BackendRejected("no_such_exam"), 502, "30"),
            (NotConfigured("No key"), 503, "30"),
            (UnknownBackend("No such vendor"), 503, "30"),
        ],
    )
    def test_each_error_has_one_status(
        self, candidate: Person, exam: Exam, error: Exception, status: int, retry: str | None
    ) -> None:
        with mock.patch("proctoring.api.v1.attempts.decide", side_effect=error):
            answer = candidate.get(f"/exams/{exam.pk}/access/")
        refused(answer, status, error.code)  # type: ignore[attr-defined]
        assert answer.headers.get("Retry-After") == retry

    def test_a_fault_of_ours_is_not_hidden(self, candidate: Person, exam: Exam) -> None:
        failing = mock.patch("proctoring.api.v1.attempts.decide", side_effect=ZeroDivisionError)
        with failing, pytest.raises(ZeroDivisionError):
            candidate.get(f"/exams/{exam.pk}/access/")


class TestAuthentication:
    @pytest.mark.parametrize(
        ("classes", "challenge"),
        [
            ([SessionAuthentication], 'Session realm="api"'),
            ([SessionAuthentication, BasicAuthentication], 'Basic realm="api"'),
            ([BasicAuthentication, SessionAuthentication], 'Basic realm="api"'),
            ([], 'Session realm="api"'),
        ],
    )
    def test_the_anonymous_hear_401_whatever_the_hosts_order(
        self, nobody: Person, classes: list[Any], challenge: str
    ) -> None:
        with mock.patch.object(api_settings, "DEFAULT_AUTHENTICATION_CLASSES", classes):
            answer = nobody.get("/exams/")
        refused(answer, 401, "not_authenticated")
        assert answer.headers["WWW-Authenticate"] == challenge

    def test_wrong_credentials_hear_401(self, nobody: Person) -> None:
        with mock.patch.object(
            api_settings, "DEFAULT_AUTHENTICATION_CLASSES", [SessionAuthentication, BasicAuthentication]
        ):
            answer = nobody.client.get(f"{ROOT}/exams/", headers={"Authorization": "Basic eDp5"})
        refused(answer, 401, "authentication_failed")

    def test_an_account_that_was_closed_is_anonymous(self, candidate: Person) -> None:
        candidate.user.is_active = False
        candidate.user.save()
        refused(candidate.get("/exams/"), 401, "not_authenticated")

    def test_a_session_needs_the_csrf_token(self, candidate: Person, attempt: Attempt) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(candidate.user)
        refused(client.post(f"{ROOT}/attempts/{attempt.pk}/start/"), 403, "permission_denied")

    @pytest.mark.parametrize(
        ("content_type", "body"), [("application/json", "{"), ("multipart/form-data", "x"), ("text/plain", "x" * 100)]
    )
    def test_the_body_is_not_looked_at_before_the_question_who_may(
        self, neighbour: Person, candidate: Person, attempt: Attempt, content_type: str, body: str
    ) -> None:
        """Django looks for its token in a form first, which would have to be parsed."""
        for one, path, status in ((neighbour, "pause", 404), (candidate, "pause", 403), (candidate, "start", 200)):
            client = Client(enforce_csrf_checks=True)
            client.force_login(one.user)
            client.cookies["csrftoken"] = token = "x" * 32
            answer = client.generic(
                "POST", f"{ROOT}/attempts/{attempt.pk}/{path}/", body, content_type, headers={"X-CSRFToken": token}
            )
            assert answer.status_code == status
