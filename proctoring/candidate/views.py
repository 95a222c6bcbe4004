"""The exam's page, its state as JSON, and the forms on it. GET never changes anything; POST calls one service."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from proctoring import permissions
from proctoring.attempts.states import RUNNING
from proctoring.candidate.actions import ACTIONS, CONFIRMED, TO_THE_QUESTIONS, carry_out
from proctoring.candidate.context import page_context
from proctoring.candidate.csrf import comes_from_our_page
from proctoring.candidate.script import page_token
from proctoring.candidate.situation import Situation, look
from proctoring.errors import (
    Conflict,
    IllegalTransition,
    InvalidInput,
    NotPermitted,
    ProctoringError,
    RuleBroken,
)
from proctoring.exams.models import Exam
from proctoring.host import host

ANSWERS: tuple[tuple[type[ProctoringError], HTTPStatus], ...] = (
    (Conflict, HTTPStatus.CONFLICT),
    (RuleBroken, HTTPStatus.UNPROCESSABLE_ENTITY),
    (InvalidInput, HTTPStatus.BAD_REQUEST),
    (NotPermitted, HTTPStatus.FORBIDDEN),
)


@never_cache
@require_safe
def exam_page(request: HttpRequest, exam_id: int) -> HttpResponse:
    """The one page of an exam: it shows whatever the person's newest attempt calls for."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    return _page(request, _situation(request, exam_id))


@login_not_required
@never_cache
@require_safe
def exam_state(request: HttpRequest, exam_id: int) -> JsonResponse:
    """What the page's script asks for again and again. Two statements beside those for the person and the host, and
    those that say until when one may begin, where the due date has passed and the person has not.

    Whoever is not logged in gets 401 in JSON: with ``LoginRequiredMiddleware`` the script would meet a redirect.
    """
    if not request.user.is_authenticated:
        return JsonResponse({"code": "not_authenticated"}, status=HTTPStatus.UNAUTHORIZED)
    situation = _situation(request, exam_id)
    attempt = situation.attempt
    return JsonResponse(
        {
            "attempt": attempt.pk if attempt else None,
            "status": situation.status,
            "screen": situation.screen,
            "seconds_left": situation.seconds_left,
            "total_seconds": situation.total_seconds if attempt else None,
            "low_threshold_seconds": situation.low_seconds if attempt else None,
            "critical_threshold_seconds": situation.critical_seconds if attempt else None,
            "expires_at": attempt.expires_at if attempt and situation.seconds_left is not None else None,
            "server_time": timezone.now(),
            "allowed": situation.allowed,
            "read_only": situation.read_only,
            "page_version": situation.page_version,
            "content_version": situation.content_version,
            "page_token": page_token(attempt, situation.now) if attempt and situation.status in RUNNING else None,
        }
    )


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def exam_action(request: HttpRequest, exam_id: int, action: str) -> HttpResponse:
    """Carry out one of ``ACTIONS`` for the person's newest attempt, or ask whether it is really meant.

    Success redirects (POST, redirect, GET). A refusal shows the page as things stand, with the reason above it and
    its status: 409 for a conflict, 422 for a rule. So does a form without the person's present CSRF token (403): the
    check is made here, not by the middleware, because a new login in another tab makes every open page's token old.
    """
    if action not in ACTIONS:
        raise Http404
    if not request.user.is_authenticated:
        return redirect_to_login(reverse("proctoring:exam_page", args=[exam_id]))
    situation = _situation(request, exam_id)
    if request.method != "POST":
        return _confirmation(request, situation, action)
    if not comes_from_our_page(request):
        return _outdated(request, situation, action)
    try:
        carry_out(action, situation, request.user, request.POST)
    except ProctoringError as error:
        return _page(request, look(situation.exam, request.user, now=timezone.now()), error=error)
    return redirect(_next_address(request, situation.exam, action))


def _next_address(request: HttpRequest, exam: Exam, action: str) -> str:
    page = reverse("proctoring:exam_page", args=[exam.pk])
    if action not in TO_THE_QUESTIONS:
        return page
    return look(exam, request.user, now=timezone.now()).content_url or page


def _situation(request: HttpRequest, exam_id: int) -> Situation:
    """404 for an exam that is neither in the person's courses nor was ever sat by them.

    The host is asked for nobody who has an attempt, and for their roles only where they may not see the course.
    """
    exam = Exam.objects.filter(pk=exam_id).first()
    if exam is None:
        raise Http404
    situation = look(exam, request.user, now=timezone.now())
    if situation.attempt is None and not _in_sight(request, exam):
        raise Http404
    return situation


def _in_sight(request: HttpRequest, exam: Exam) -> bool:
    """Inactive exams too: a click on one that was just archived deserves the reason, not "not found"."""
    return host().may_see_course(request.user, exam.course_id) or permissions.may_watch(request.user, exam.course_id)


def _confirmation(request: HttpRequest, situation: Situation, action: str) -> HttpResponse:
    if action not in CONFIRMED:
        return HttpResponseNotAllowed(["POST"])
    if not _makes_sense(situation, action):
        return redirect("proctoring:exam_page", situation.exam.pk)
    return render(request, f"proctoring/exam/confirm_{action}.html", page_context(situation))


def _makes_sense(situation: Situation, action: str) -> bool:
    return situation.may_decline if action == "decline" else situation.may_report_error


def _outdated(request: HttpRequest, situation: Situation, action: str) -> HttpResponse:
    """The page with the form again, this time with a token that counts. Nothing was done."""
    context = {**page_context(situation), "message": _("This page was out of date. Please press again.")}
    name = situation.screen.value
    if action in CONFIRMED and _makes_sense(situation, action):
        name = f"confirm_{action}"
        context["detail"] = request.POST.get("detail", "")
    return render(request, f"proctoring/exam/{name}.html", context, status=HTTPStatus.FORBIDDEN)


def _page(request: HttpRequest, situation: Situation, *, error: ProctoringError | None = None) -> HttpResponse:
    context: dict[str, Any] = page_context(situation)
    status = HTTPStatus.OK
    if error is not None:
        context["message"] = _sentence(error)
        status = next((answer for kind, answer in ANSWERS if isinstance(error, kind)), HTTPStatus.SERVICE_UNAVAILABLE)
    return render(request, f"proctoring/exam/{situation.screen.value}.html", context, status=status)


def _sentence(error: ProctoringError) -> str:
    """What a person should read. The table's own refusals speak of statuses, which candidates do not know."""
    if isinstance(error, IllegalTransition) and "from" in error.data:
        return _("That has been done already, or is not possible now. This page shows how things stand.")
    return str(error)
