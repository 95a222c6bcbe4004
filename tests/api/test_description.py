"""``schema/`` and ``docs/``, and the API held against its own description."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from django.test.utils import override_settings
from django.urls import include, path
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from proctoring.api.v1.urls import resources
from proctoring.attempts.states import Status
from proctoring.exams.models import ExamType
from tests.api.conftest import ROOT, A, Person
from tests.factories import AllowanceFactory, AttemptFactory, ExamFactory

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def schema() -> dict[str, Any]:
    return Client().get(f"{ROOT}/schema/").json()


class TestSchema:
    def test_it_is_open_and_openapi_3_1(self, schema: dict[str, Any]) -> None:
        assert schema["openapi"] == "3.1.0"
        answer = Client().get(f"{ROOT}/schema/")
        assert answer.headers["Content-Type"] == "application/json"

    def test_it_describes_every_address_and_nothing_else(self, schema: dict[str, Any]) -> None:
        parameter = re.compile("<(?:str|path):(pk|(?P<n>[a-z_]+))>")
        routes = {f"{ROOT}/{parameter.sub(_name, str(one.pattern))}" for one in resources}
        assert set(schema["paths"]) == routes

    def test_every_operation_documents_its_refusals_in_the_one_shape(self, schema: dict[str, Any]) -> None:
        for operations in schema["paths"].values():
            for method, operation in operations.items():
                codes = set(operation["responses"])
                assert "401" in codes
                if method != "get" and "requestBody" in operation:
                    assert {"400", "413", "415"} <= codes
                refusals = {code: answer for code, answer in operation["responses"].items() if code >= "400"}
                for answer in refusals.values():
                    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
                    assert answer["description"]

    def test_generating_it_warns_of_nothing(self) -> None:
        code = (
            "import django; django.setup()\n"
            "from proctoring.api import openapi\n"
            "openapi.SETTINGS['DISABLE_ERRORS_AND_WARNINGS'] = False\n"
            "openapi.describe('proctoring.api.v1.urls', '/x', 'en')\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_host())
        assert done.stderr == ""

    def test_it_does_not_depend_on_the_hosts_own_description(self, schema: dict[str, Any]) -> None:
        """A host without drf-spectacular's class, and with settings of its own, gets the same."""
        code = (
            "from django.conf import settings\n"
            "settings.REST_FRAMEWORK = {'SCHEMA_COERCE_PATH_PK': False, 'DATETIME_FORMAT': '%Y'}\n"
            "settings.SPECTACULAR_SETTINGS = {'SCHEMA_PATH_PREFIX_TRIM': True, 'OAS_VERSION': '3.0.3',"
            " 'CAMELIZE_NAMES': True, 'COMPONENT_NO_READ_ONLY_REQUIRED': True, 'SERVERS': [{'url': 'x'}]}\n"
            "import django; django.setup()\n"
            "from proctoring.api.openapi import describe\n"
            f"print(describe('proctoring.api.v1.urls', '{ROOT}', 'en').decode())\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_host())
        other = json.loads(done.stdout)
        assert other["openapi"] == "3.1.0"
        assert other["components"]["schemas"] == schema["components"]["schemas"]
        assert set(other["paths"]) == set(schema["paths"])

    def test_it_follows_the_mount(self) -> None:
        with override_settings(ROOT_URLCONF=__name__):
            paths = Client().get("/deep/er/api/v1/schema/").json()["paths"]
        assert "/deep/er/api/v1/exams/{id}/" in paths


urlpatterns = [path("deep/er/", include("proctoring.urls"))]


def _name(found: re.Match[str]) -> str:
    return "{" + (found["n"] or "id") + "}"


def _host() -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "test_settings", "PYTHONPATH": os.pathsep.join(sys.path)}


class TestDocs:
    def test_nothing_in_the_page_is_inline_or_from_elsewhere(self) -> None:
        page = Client().get(f"{ROOT}/docs/").content.decode()
        assert re.findall(r"<style|style=|\son\w+=|<script>", page) == []
        links = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert links
        assert all(link.startswith("/") for link in links)
        for link in links:
            assert Client().get(link.replace("&amp;", "&")).status_code == 200, link

    def test_the_script_names_the_schema_and_no_server_on_the_internet(self) -> None:
        answer = Client().get(f"{ROOT}/docs/?script=")
        assert answer.headers["Content-Type"].startswith("application/javascript")
        script = answer.content.decode()
        assert "/proctoring/api/v1/schema/" in script.replace("\\u002D", "-").replace("\\/", "/")
        assert '"validatorUrl": null' in script


@pytest.fixture
def world(superuser: Person, candidate: Person) -> dict[str, list[Any]]:
    """A few exams and attempts in different states, so that not every id of a request is unknown."""
    exams = [
        ExamFactory(course_id=A, exam_type=kind, allow_opt_out=True) for kind in (ExamType.TIMED, ExamType.PRACTICE)
    ]
    exams.append(ExamFactory(course_id=A, exam_type=ExamType.PROCTORED, allow_opt_out=True, status="draft"))
    attempts = [
        AttemptFactory(exam=exams[0], user=person.user, number=number, status=status)
        for person in (superuser, candidate)
        for number, status in enumerate((Status.ERROR, Status.CREATED), start=1)
    ]
    attempts.append(AttemptFactory(exam=exams[1], user=candidate.user, status=Status.SUBMITTED))
    allowance = AllowanceFactory(user=candidate.user, course_id=A)
    return {
        "exams": [one.pk for one in exams],
        "attempts": [one.pk for one in attempts],
        "backends": ["null"],
        "users": [candidate.user.pk],
        "allowances": [allowance.pk],
    }


@pytest.fixture
def _one_connection() -> Iterator[None]:
    """A server closes connections between requests; the test's transaction is in this one."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def operations() -> Iterator[Any]:
    loaded = schemathesis.openapi.from_wsgi(f"{ROOT}/schema/", get_wsgi_application())
    for result in loaded.get_all_operations():
        yield result.ok()


@pytest.mark.long
@pytest.mark.usefixtures("_one_connection")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("who", ["superuser", "candidate"])
def test_no_request_is_answered_otherwise_than_described(
    request: pytest.FixtureRequest, world: dict[str, list[Any]], who: str, mode: GenerationMode
) -> None:
    session = request.getfixturevalue(who).client.cookies["sessionid"].value
    token = "x" * 32
    seen: Counter[int] = Counter()
    for operation in operations():
        known = next((keys for name, keys in world.items() if f"/{name}/{{" in operation.path), [])

        @settings(
            max_examples=5,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(mode), key=st.sampled_from([*known, None]))
        def ask(case: Any, key: Any) -> None:
            if key is not None:
                case.path_parameters["id" if "id" in case.path_parameters else "alias"] = key
            # Instead of the made-up session that the description asks for. Other headers are the server's business.
            case.cookies = {"sessionid": session, "csrftoken": token}
            case.headers = {name: value for name, value in case.headers.items() if name == "Idempotency-Key"}
            answer = case.call_and_validate(headers={"X-CSRFToken": token}, checks=CHECKS)
            seen[answer.status_code] += 1

        ask()
    assert set(seen) >= {200, 404} | ({400} if mode == GenerationMode.NEGATIVE else {409})
    assert not seen[401]
