"""Addresses of version 1. ``resources`` is what the OpenAPI description describes."""

from django.db.transaction import non_atomic_requests
from django.urls import URLPattern, path, re_path

from proctoring.api.base import NothingHere
from proctoring.api.openapi import DocsView, SchemaView
from proctoring.api.v1.acs_log import AcsLog
from proctoring.api.v1.actions import ACTIONS, AttemptActions
from proctoring.api.v1.allowances import Allowances
from proctoring.api.v1.attempts import Attempts, ExamAttempts
from proctoring.api.v1.backends import Backends
from proctoring.api.v1.booking_actions import ACTIONS as BOOKING_ACTIONS
from proctoring.api.v1.booking_actions import BookingActions
from proctoring.api.v1.booking_log import BookingLog, CourseBookingLog
from proctoring.api.v1.bookings import Bookings
from proctoring.api.v1.bulk_actions import BulkActions
from proctoring.api.v1.candidate_log import CandidateLog
from proctoring.api.v1.catalogues import CATALOGUES, Catalogues
from proctoring.api.v1.commands import AttemptCommands
from proctoring.api.v1.events import AttemptEvents
from proctoring.api.v1.evidence import Evidence
from proctoring.api.v1.exams import Exams
from proctoring.api.v1.heartbeats import Heartbeats
from proctoring.api.v1.live_sessions import BookingSessions, LiveSessions
from proctoring.api.v1.onboarding import OnboardingView
from proctoring.api.v1.ratings import Ratings
from proctoring.api.v1.registration import CourseExams
from proctoring.api.v1.reports import CourseReports
from proctoring.api.v1.reviews import AttemptReviews, Reviews
from proctoring.api.v1.shared_addresses import SharedAddresses
from proctoring.api.v1.time import AttemptTime
from proctoring.api.v1.timeline import Timeline
from proctoring.api.v1.users import Users

resources: list[URLPattern] = [
    path("exams/", Exams.as_view({"get": "list", "post": "create"})),
    path("exams/<str:pk>/", Exams.as_view({"get": "retrieve", "patch": "partial_update"})),
    path("exams/<str:pk>/access/", ExamAttempts.as_view({"get": "access"})),
    path("exams/<str:pk>/shared-addresses/", SharedAddresses.as_view({"get": "retrieve"})),
    path("exams/<str:pk>/attempts/", ExamAttempts.as_view({"post": "create"})),
    path("courses/<path:course_id>/exams/", CourseExams.as_view({"put": "update"})),
    path("courses/<path:course_id>/violation-report/", CourseReports.as_view({"get": "violations"})),
    path("attempts/", Attempts.as_view({"get": "list"})),
    path("attempts/active/", Attempts.as_view({"get": "active"})),
    # Each attempt has a transaction of its own: a host's ATOMIC_REQUESTS would make one of all, with all their locks.
    path("attempts/actions/", non_atomic_requests(BulkActions.as_view({"get": "list", "post": "create"}))),
    path("attempts/actions/<str:pk>/", BulkActions.as_view({"get": "retrieve"})),
    path("attempts/actions/<str:pk>/undo/", non_atomic_requests(BulkActions.as_view({"post": "undo"}))),
    path("attempts/<str:pk>/", Attempts.as_view({"get": "retrieve"})),
    path("attempts/<str:pk>/time/", AttemptTime.as_view({"get": "retrieve", "post": "create"})),
    path("attempts/<str:pk>/reviews/", AttemptReviews.as_view({"get": "list", "post": "create"})),
    path("attempts/<str:pk>/heartbeat/", Heartbeats.as_view({"post": "create"}), name="attempt_heartbeat"),
    # What the page has sent is counted, then its attempt is locked; heartbeats lock the other way round.
    path(
        "attempts/<str:pk>/events/",
        non_atomic_requests(AttemptEvents.as_view({"post": "create"})),
        name="attempt_events",
    ),
    path("attempts/<str:pk>/candidate-log/", CandidateLog.as_view({"get": "list"})),
    path("attempts/<str:pk>/commands/", AttemptCommands.as_view({"get": "list"})),
    path("attempts/<str:pk>/evidence/", Evidence.as_view({"get": "retrieve"})),
    path("attempts/<str:pk>/timeline/", Timeline.as_view({"get": "list"})),
    *(path(f"attempts/<str:pk>/{name}/", AttemptActions.as_view({"post": act})) for name, act in ACTIONS.items()),
    path("allowances/", Allowances.as_view({"get": "list", "post": "create"})),
    path("allowances/bulk/", Allowances.as_view({"post": "bulk"})),
    path("allowances/<str:pk>/", Allowances.as_view({"patch": "partial_update", "delete": "destroy"})),
    path("reviews/", Reviews.as_view({"get": "list"})),
    path("reviews/<str:pk>/video/", Reviews.as_view({"get": "video"})),
    path("ratings/", Ratings.as_view({"get": "list"})),
    path("bookings/", Bookings.as_view({"get": "list", "post": "create"})),
    path("bookings/<str:pk>/", Bookings.as_view({"get": "retrieve", "patch": "partial_update"})),
    path("bookings/<str:pk>/log/", BookingLog.as_view({"get": "list"}), name="booking_log_of_one"),
    path("bookings/<str:pk>/sessions/", BookingSessions.as_view({"get": "list"})),
    *(path(f"bookings/<str:pk>/{act}/", BookingActions.as_view({"post": act})) for act in BOOKING_ACTIONS),
    path("booking-log/", CourseBookingLog.as_view({"get": "list"}), name="booking_log"),
    path("logs/acs/", AcsLog.as_view({"get": "list"})),
    path("live-sessions/", LiveSessions.as_view({"get": "list"})),
    path("onboarding/", OnboardingView.as_view({"get": "list"})),
    path("onboarding/status/", OnboardingView.as_view({"get": "status"})),
    path("users/<str:pk>/erase/", Users.as_view({"post": "erase"})),
    path("users/<str:pk>/export/", Users.as_view({"get": "export"})),
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
