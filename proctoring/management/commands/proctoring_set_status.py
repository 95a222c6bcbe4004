"""Give an attempt another status, by the steps that its table allows."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from proctoring.attempts.lifecycle import REASON_LENGTH
from proctoring.attempts.models import Attempt
from proctoring.attempts.services import change_status
from proctoring.attempts.states import Actor, Status
from proctoring.errors import NotPermitted
from proctoring.management.running import RowsCommand, person, positive
from proctoring.permissions import is_course_staff, may_invigilate, may_review
from proctoring.reviews.services import is_decision, record_decision


class Command(RowsCommand):
    help = "Give an attempt another status, in somebody's name, under the rules that hold for them everywhere."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("attempt", type=positive)
        parser.add_argument("status", choices=Status.values, metavar="status", help=", ".join(Status.values))
        parser.add_argument("--reason", required=True)
        parser.add_argument("--by", required=True, help="In whose name: id, user name or e-mail address.")

    def handle(self, *args: Any, **options: Any) -> None:
        by, new, reason = person(options["by"]), Status(options["status"]), options["reason"].strip()
        if not reason or len(reason) > REASON_LENGTH:
            raise CommandError(f"A reason has 1 to {REASON_LENGTH} characters.")
        attempt = Attempt.objects.select_related("exam", "user").filter(pk=options["attempt"]).first()
        if attempt is None:
            raise CommandError(f"There is no attempt {options['attempt']}.")

        def change(row: Attempt) -> str:
            actors = _capacities(row, by)
            if not actors:
                raise NotPermitted(f"{by.get_username()} has no role in this course.")
            old = row.status_at(timezone.now())
            if old == new:
                return f"is {new.value} already"
            if is_decision(row, new):
                record_decision(row, new, by=by, actors=actors, reason=reason)
            else:
                change_status(row, new, by=by, actors=actors, reason=reason)
            return f"{old.value} → {new.value}"

        self.each([attempt], change, name=lambda row: f"attempt {row.pk}")


def _capacities(attempt: Attempt, by: Any) -> set[Actor]:
    course_id = attempt.exam.course_id
    held = {
        Actor.STAFF: is_course_staff(by, course_id),
        Actor.REVIEWER: may_review(by, course_id),
        Actor.PROCTOR: may_invigilate(by, course_id),
    }
    return {actor for actor, holds in held.items() if holds}
