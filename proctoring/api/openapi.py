"""The OpenAPI description: how operations are documented, generated and shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import import_module
from threading import Lock
from typing import Any, TypeVar

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.utils.decorators import method_decorator
from django.utils.translation import get_language
from django.views.generic import View
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.settings import patched_settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from proctoring import __version__
from proctoring.api.errors import ProblemSerializer

F = TypeVar("F", bound=Callable[..., Any])

MEANINGS = {
    400: "The input is not valid.",
    401: "Nobody is logged in.",
    403: "You may see this, but not do it.",
    404: "It does not exist, or you may not see it.",
    409: "Its state does not allow this.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "A rule says no; the code says which.",
    502: "The vendor gave no usable answer.",
    503: "This does not work at the moment.",
}

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[\\x20-\\x7e]{1,255}$"},
    OpenApiParameter.HEADER,
    description="The same key answers the same thing for 24 hours, marked with the header `Idempotency-Replayed`.",
)

SETTINGS: dict[str, Any] = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Proctoring",
    "VERSION": __version__,
    "DESCRIPTION": "Proctored and timed exams: exams, attempts, their time, vendors and vocabularies.",
    "SCHEMA_PATH_PREFIX": "",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": True,
    "PREPROCESSING_HOOKS": [],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums"],
    "ENUM_NAME_OVERRIDES": {
        "AttemptStatus": "proctoring.attempts.states.Status",
        "ExamStatus": "proctoring.exams.models.ExamStatus",
        "ExamType": "proctoring.exams.models.ExamType",
        "OutagePolicy": "proctoring.exams.models.OutagePolicy",
        "TimeEntryKind": "proctoring.attempts.timing.EntryKind",
        "TimeEntryState": "proctoring.attempts.timing.EntryState",
        "AllowanceKind": "proctoring.allowances.models.AllowanceKind",
        "OnboardingStatus": "proctoring.attempts.standing.Standing",
        "RetryKind": "proctoring.attempts.models.RetryKind",
        "ReviewStatus": "proctoring.reviews.models.ReviewStatus",
        "ReviewSource": "proctoring.reviews.models.ReviewSource",
        "RatingSource": "proctoring.reviews.models.RatingSource",
        "InvigilatorAction": "proctoring.invigilation.actions.Action",
        "CommandKind": "proctoring.monitoring.models.CommandKind",
    },
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": True,
    "CAMELIZE_NAMES": False,
    "SERVERS": [],
    "SECURITY": [],
    "APPEND_PATHS": {},
    "APPEND_COMPONENTS": {},
    "WEBHOOKS": [],
    "TAGS": [],
    "SORT_OPERATIONS": True,
    "DISABLE_ERRORS_AND_WARNINGS": True,
}
"""Everything that a host may have set for its own description and that would change ours."""


class ApiSchema(AutoSchema):
    """An answer has all its fields, except those that a serializer names in ``optional_in_answers``."""

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)
        if direction == "response" and "properties" in schema:
            optional = getattr(serializer, "optional_in_answers", ())
            schema["required"] = sorted(name for name in schema["properties"] if name not in optional)
        return schema


def operation(
    summary: str,
    *,
    answer: Any,
    tag: str,
    status: int = 200,
    body: Any = None,
    errors: Sequence[int] = (),
    parameters: Sequence[Any] = (),
    description: str = "",
    media_types: Sequence[str] = (),
    also: Sequence[int] = (),
) -> Callable[[F], F]:
    """Document one operation. 401 is always possible; a body brings 400, 413 and 415. ``media_types``: of an answer
    that is not JSON. ``also``: further statuses of the same answer."""
    possible = {401, *errors, *((400, 413, 415) if body is not None else ())}
    problems = {code: OpenApiResponse(ProblemSerializer, description=MEANINGS[code]) for code in sorted(possible)}
    answers: Sequence[Any] = [(status, kind) for kind in media_types] or [status, *also]
    document = extend_schema(
        summary=summary,
        description=description,
        tags=[tag],
        request=body,
        responses={**dict.fromkeys(answers, answer), **problems},
        parameters=list(parameters),
    )

    def decorate(method: F) -> F:
        # Where drf-spectacular looks for the class to extend; it would take the host's, which may be another package's.
        method.kwargs = {"schema": ApiSchema}  # type: ignore[attr-defined]  # REST framework reads it there
        return document(method)

    return decorate


def path_id(name: str = "id") -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.INT64, OpenApiParameter.PATH)


_generating = Lock()


@lru_cache(maxsize=32)
def describe(urlconf: str, prefix: str, language: str | None) -> bytes:
    """The description, as JSON, of ``resources`` in this URL configuration, mounted at ``prefix``.

    drf-spectacular keeps its settings in a global, so one thread at a time may put ours in their place.
    """
    patterns = import_module(urlconf).resources
    with _generating, patched_settings({**SETTINGS, "SCHEMA_PATH_PREFIX_INSERT": prefix}):
        generator = SchemaGenerator(patterns=patterns)
        generator.coerce_path_pk = True
        schema = generator.get_schema(request=None, public=True)
    return json.dumps(schema, cls=JSONEncoder, ensure_ascii=False).encode()


@method_decorator(login_not_required, name="dispatch")
class SchemaView(View):
    """Open to everybody: it describes the software and holds no data."""

    http_method_names = ["get", "head"]
    urlconf = ""

    def get(self, request: HttpRequest) -> HttpResponse:
        schema = describe(self.urlconf, _mounted_at(request), get_language())
        return HttpResponse(schema, content_type="application/json")


class DocsView(SpectacularSwaggerSplitView):
    """The description as pages. Script and style are files of this server, so a strict policy lets them through."""

    # Not the host's: its class may not be drf-spectacular's, and this page is no part of the host's own description.
    schema = None
    authentication_classes = ()
    permission_classes = (AllowAny,)
    renderer_classes = [TemplateHTMLRenderer]
    template_name = "proctoring/api/docs.html"
    title = "Proctoring"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)
        if "settings" in response.data:
            # Without this the page asks a server on the internet what it thinks of the description.
            response.data["settings"] = json.dumps({"deepLinking": True, "validatorUrl": None})
        return response

    def _get_schema_url(self, request: Request) -> str:
        return f"{_mounted_at(request)}/schema/"

    @staticmethod
    def _swagger_ui_resource(filename: str) -> str:
        return static(f"drf_spectacular_sidecar/swagger-ui-dist/{filename}")

    @staticmethod
    def _swagger_ui_favicon() -> str:
        return DocsView._swagger_ui_resource("favicon-32x32.png")


def _mounted_at(request: HttpRequest | Request) -> str:
    """The path of the API's root without its last slash, from the address of a view beside it."""
    return request.path.removesuffix("/").rpartition("/")[0]
