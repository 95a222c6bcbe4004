"""An LMS's page of questions for the browser tests, with the bar or the script alone, and answers that it saves.

Mounted by ``pytest.mark.urls("tests.browser.exam_pages")``, beside what the tests' host has.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template import RequestContext, Template
from django.urls import path

from proctoring.models import Attempt, Exam
from test_urls import urlpatterns as of_host

SAVED: list[str] = []
"""What the LMS has been sent, oldest first."""

POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'"

QUESTIONS = """<!DOCTYPE html>
{% load proctoring %}
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Questions</title><script type="module" src="/lms.js"></script></head>
<body><main>TAG
<h1>Questions</h1>
{% for number in numbers %}<form data-proctoring-question="{{ number }}" data-proctoring-item="q{{ number }}">
<label for="a{{ number }}">Question {{ number }}</label> <input id="a{{ number }}" name="answer" autocomplete="off">
</form>{% endfor %}
<form method="post" action="/exams/{{ exam.pk }}/save/">{% csrf_token %}<input type="hidden" name="answer" value="done">
<button>Save everything</button></form>
<iframe src="/inner/" title="A drawing" width="200" height="60"></iframe>
</main></body></html>"""

DRAWING = "<!DOCTYPE html><html lang='en'><title>A drawing</title><input aria-label='Drawing'></html>"

SCRIPT = """
for (const field of document.querySelectorAll("input[name=answer]")) field.addEventListener("change", () => {
  const form = document.querySelector("form[action$='/save/']");
  const body = new FormData(form);
  body.set("answer", field.value);
  fetch(form.action, { method: "POST", body }).catch(() => {});
});
"""


def questions(request: HttpRequest, exam_id: int, tag: str) -> HttpResponse:
    exam = Exam.objects.get(pk=exam_id)
    attempt = Attempt.objects.select_related("exam").filter(exam=exam, user=request.user).last()
    tags = {"bar": "{% exam_bar exam block=block %}", "script": "{% proctoring_page attempt item='p1' block=block %}"}
    context = {"exam": exam, "attempt": attempt, "numbers": range(1, 4), "block": request.GET.get("block", "")}
    text = Template(QUESTIONS.replace("TAG", tags[tag])).render(RequestContext(request, context))
    return HttpResponse(text, headers={"Content-Security-Policy": POLICY})


def save(request: HttpRequest, exam_id: int) -> HttpResponse:
    SAVED.append(request.POST["answer"])
    return HttpResponse("<h1>Saved</h1>")


urlpatterns: list[Any] = [
    *of_host,
    path("exams/<int:exam_id>/save/", save),
    path("exams/<int:exam_id>/<slug:tag>/", questions),
    path("lms.js", lambda request: HttpResponse(SCRIPT, content_type="text/javascript")),
    path("inner/", lambda request: HttpResponse(DRAWING, headers={"X-Frame-Options": "SAMEORIGIN"})),
    path("elsewhere/", lambda request: HttpResponse("<title>Elsewhere</title>")),
]
