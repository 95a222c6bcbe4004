"""The app as an LMS mounts it, and beside it a bare view that does nothing but the one statement of a heartbeat."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from proctoring.monitoring.beating import Pulse, statement


@csrf_exempt
def bare(request: HttpRequest, attempt: int, user: int) -> HttpResponse:
    """The statement of a heartbeat and a JSON answer: what Django itself costs."""
    json.loads(request.body)
    pulse = Pulse(ip=request.META["REMOTE_ADDR"], user_agent=request.META["HTTP_USER_AGENT"])
    sql, parameters = statement(connection, attempt, user, pulse, now=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        if cursor.fetchone() is None:
            return JsonResponse({}, status=500)
    return JsonResponse({"status": "started"})


urlpatterns: list[Any] = [
    path("proctoring/", include("proctoring.urls")),
    path("bare/<int:attempt>/<int:user>/", bare),
]
