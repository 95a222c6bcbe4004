"""Reading the candidate pages in tests: which screen, which forms, which links."""

from __future__ import annotations

import re
from typing import Any

from django.test import Client
from django.urls import reverse

from proctoring.exams.models import Exam


def page_url(exam: Exam) -> str:
    return reverse("proctoring:exam_page", args=[exam.pk])


def screen_of(response: Any) -> str:
    found = re.search(r'data-screen="(\w+)"', response.content.decode())
    assert found, response.content.decode()
    return found[1]


def forms_of(response: Any) -> set[str]:
    """The actions that the page offers as forms."""
    return set(re.findall(r'action="/proctoring/exam/\d+/(\w+)/"', response.content.decode()))


def act(client: Client, exam: Exam, action: str, **form: object) -> Any:
    return client.post(reverse("proctoring:exam_action", args=[exam.pk, action]), form)
