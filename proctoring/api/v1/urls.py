"""Addresses of version 1. ``resources`` is what the OpenAPI description describes."""

from django.urls import URLPattern, path, re_path

from proctoring.api.base import NothingHere
from proctoring.api.openapi import DocsView, SchemaView
from proctoring.api.v1.actions import ACTIONS, AttemptActions
from proctoring.api.v1.attempts import Attempts, ExamAttempts
from proctoring.api.v1.backends import Backends
from proctoring.api.v1.catalogues import CATALOGUES, Catalogues
from proctoring.api.v1.exams import Exams
from proctoring.api.v1.registration import CourseExams
from proctoring.api.v1.time import AttemptTime

resources: list[URLPattern] = [
    path("exams/", Exams.as_view({"get": "list", "post": "create"})),
    path("exams/<str:pk>/", Exams.as_view({"get": "retrieve", "patch": "partial_update"})),
    path("exams/<str:pk>/access/", ExamAttempts.as_view({"get": "access"})),
    path("exams/<str:pk>/attempts/", ExamAttempts.as_view({"post": "create"})),
    path("courses/<path:course_id>/exams/", CourseExams.as_view({"put": "update"})),
    path("attempts/", Attempts.as_view({"get": "list"})),
    path("attempts/active/", Attempts.as_view({"get": "active"})),
    path("attempts/<str:pk>/", Attempts.as_view({"get": "retrieve"})),
    path("attempts/<str:pk>/time/", AttemptTime.as_view({"get": "retrieve", "post": "create"})),
    *(path(f"attempts/<str:pk>/{name}/", AttemptActions.as_view({"post": act})) for name, act in ACTIONS.items()),
    path("backends/", Backends.as_view({"get": "list"})),
    path("backends/<str:alias>/health/", Backends.as_view({"get": "health"})),
    *(path(f"catalogues/{name}/", Catalogues.as_view({"get": act})) for name, act in CATALOGUES.items()),
]

urlpatterns = [
    path("schema/", SchemaView.as_view(urlconf=__name__)),
    path("docs/", DocsView.as_view()),
    *resources,
    # Without a final slash, the host's own APPEND_SLASH still has its say.
    re_path(r"^(?:[\s\S]*/)?\Z", NothingHere.as_view({"get": "nothing"})),
]
