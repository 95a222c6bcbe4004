"""Course pages and exams. Whether an exam's questions may be shown, or answered, proctoring says: ``decide``."""

from uuid import uuid4

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from demo import place
from demo.course import LOGINS
from demo.lms.models import Answer, Course, Enrollment, Question, SentMail, SupportNote
from demo.lms.progress import progress
from proctoring.attempts.access import AccessDecision, current_attempt, decide
from proctoring.attempts.reporting import report_from_lms
from proctoring.models import Attempt, Exam

ANSWER_LENGTH = 2_000
ANSWER_SAVED = 1006


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    courses = Course.objects.filter(enrollments__user=request.user.pk) if request.user.is_authenticated else ()
    return render(request, "lms/start.html", {"courses": courses, "logins": LOGINS})


@require_safe
@login_required
def course(request: HttpRequest, course_id: str) -> HttpResponse:
    found = get_object_or_404(Course, slug=course_id, enrollments__user=request.user)
    exams = Exam.objects.visible_to(request.user).filter(course_id=course_id).order_by("pk")
    enrolled = Enrollment.objects.filter(course=found)
    teaches = enrolled.filter(user=request.user, role=Enrollment.Role.STAFF).exists()
    candidates = enrolled.filter(role=Enrollment.Role.CANDIDATE).select_related("user").order_by("user")
    context = {
        "course": found,
        "exams": exams,
        "mine": None if teaches else progress(found, [request.user], exams)[0],
        "class": progress(found, [one.user for one in candidates], exams) if teaches else [],
        "support_notes": SupportNote.objects.filter(course=found)[:50] if teaches else [],
        "teaches": teaches,
        # Where the vendor takes everybody, being told to do the onboarding first would be wrong.
        "wants_onboarding": place.current().require_onboarding and not teaches,
    }
    return render(request, "lms/course.html", context)


@require_safe
@login_required
def mails(request: HttpRequest) -> HttpResponse:
    """The mails that this LMS has sent; for staff, for they are other people's."""
    _refuse_candidates(request)
    return render(request, "lms/mails.html", {"mails": SentMail.objects.all()[:100]})


@require_safe
@login_required
def mail(request: HttpRequest, pk: int) -> HttpResponse:
    _refuse_candidates(request)
    return render(request, "lms/mail.html", {"mail": get_object_or_404(SentMail, pk=pk)})


@require_safe
@login_required
def mail_html(request: HttpRequest, pk: int) -> HttpResponse:
    """The mail as a mail program shows it."""
    _refuse_candidates(request)
    return HttpResponse(get_object_or_404(SentMail.objects.exclude(html=""), pk=pk).html)


@never_cache
@require_safe
@login_required
def questions(request: HttpRequest, course_id: str, content_id: str) -> HttpResponse:
    """The questions, if proctoring lets this person see them now; otherwise the page that explains why not."""
    exam, decision = _ask(request, course_id, content_id)
    if not decision.allowed:
        return redirect("proctoring:exam_page", exam.pk)
    found = Question.objects.filter(course__slug=course_id, content_id=content_id)
    answers = dict(
        Answer.objects.filter(question__in=found, user=request.user, sitting=_sitting(decision.attempt)).values_list(
            "question", "text"
        )
    )
    context = {
        "exam": exam,
        "course_id": course_id,
        "read_only": decision.read_only,
        "questions": [(question, answers.get(question.pk, "")) for question in found],
    }
    return render(request, "lms/questions.html", context)


@require_POST
@login_required
def save_answer(request: HttpRequest, course_id: str, content_id: str, position: int) -> HttpResponse:
    """Keep one answer. Asked again at each save: the page may have been open since before the deadline."""
    exam, decision = _ask(request, course_id, content_id)
    if not decision.allowed or decision.read_only:
        return render(request, "lms/not_saved.html", {"exam": exam}, status=403)
    question = get_object_or_404(Question, course__slug=course_id, content_id=content_id, position=position)
    Answer.objects.update_or_create(
        question=question,
        user=request.user,
        sitting=_sitting(decision.attempt),
        defaults={"text": request.POST.get("answer", "")[:ANSWER_LENGTH]},
    )
    _report_saved(decision.attempt, question)
    if request.headers.get("Accept") == "application/json":
        return HttpResponse(status=204)
    return redirect(reverse("questions", args=[course_id, content_id]) + f"#question-{position}")


def _ask(request: HttpRequest, course_id: str, content_id: str) -> tuple[Exam, AccessDecision]:
    """Proctoring's answer for this person and this content. Content that is no exam there is not shown at all."""
    exam = Exam.objects.visible_to(request.user).filter(course_id=course_id, content_id=content_id).first()
    if exam is None:
        raise Http404
    return exam, decide(exam, request.user, current_attempt(exam, request.user))


def _report_saved(attempt: Attempt | None, question: Question) -> None:
    """The server's word beside the page's "question answered": where one is without the other, an answer was lost."""
    if attempt is None:
        return
    event = {
        "message_id": f"saved-{uuid4()}",
        "type": ANSWER_SAVED,
        "occurred_at": timezone.now().isoformat(),
        "item_id": f"question-{question.position}",
        "question_number": question.position,
    }
    report_from_lms(attempt, [event])


def _sitting(attempt: Attempt | None) -> int:
    """Where a resumed attempt's answers are: with the attempt that it continues."""
    while attempt is not None and attempt.resumed_from is not None:
        attempt = attempt.resumed_from
    return attempt.pk if attempt else 0


def _refuse_candidates(request: HttpRequest) -> None:
    if not request.user.is_staff:
        raise PermissionDenied
