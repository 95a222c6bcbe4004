"""Derive the deadlines of open attempts anew."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from proctoring.attempts.schedule import recompute_deadlines
from proctoring.attempts.states import OPEN
from proctoring.exams.models import Exam
from proctoring.management.running import RowsCommand, positive


class Command(RowsCommand):
    help = "Derive the deadlines of open attempts anew from their exams' dates and their ledgers."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--exam", type=positive, help="Of this exam alone.")
        which.add_argument("--course", help="Of the exams of this course.")

    def handle(self, *args: Any, **options: Any) -> None:
        exams = Exam.objects.filter(attempts__status__in=OPEN).distinct().order_by("pk")
        if options["exam"]:
            if not Exam.objects.filter(pk=options["exam"]).exists():
                raise CommandError(f"There is no exam {options['exam']}.")
            exams = exams.filter(pk=options["exam"])
        if options["course"]:
            exams = exams.filter(course_id=options["course"])
        self.each(list(exams), _recompute, name=lambda exam: f"exam {exam.pk}")


def _recompute(exam: Exam) -> str:
    return f"{recompute_deadlines(exam, by=None)} deadlines changed"
