"""``fill_demo``: the course, the people and the exams of the demo, where they are missing."""

from typing import Any

from django.core.management.base import BaseCommand

from demo.lms.filling import fill


class Command(BaseCommand):
    help = "Fills in the course, the people and the exams of the demo, where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        fill()
