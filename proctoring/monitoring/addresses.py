"""Addresses that several candidates of an exam came from, and attempts that came from several addresses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Window
from django.db.models.functions import RowNumber

from proctoring.exams.models import Exam
from proctoring.monitoring.models import SeenAddress

MOST = 200
"""Addresses, and attempts, that are shown: the most conspicuous first."""
EACH = 50
"""Attempts that are named of one address; the number of candidates is the true one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedAddress:
    ip: str
    candidates: int
    """How many people."""
    seen: Sequence[SeenAddress]
    """Of their attempts, at most ``EACH``, the earliest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedAddress:
    attempt: Any
    seen: Sequence[SeenAddress]
    """In the order in which they turned up."""


def shared_addresses(exam: Exam) -> list[SharedAddress]:
    """Two statements. That people share an address proves nothing: a school has one."""
    of_exam = SeenAddress.objects.filter(exam=exam).order_by()
    counted = of_exam.values("ip").annotate(people=Count("attempt__user", distinct=True)).filter(people__gt=1)
    people = dict(counted.order_by("-people", "ip").values_list("ip", "people")[:MOST])
    seen: dict[str, list[SeenAddress]] = defaultdict(list)
    place = Window(RowNumber(), partition_by=["ip"], order_by=["first_seen_at", "pk"])
    rows = of_exam.filter(ip__in=people).select_related("attempt__user").annotate(place=place)
    for row in rows.filter(place__lte=EACH).order_by("first_seen_at", "pk"):
        seen[row.ip].append(row)
    return [SharedAddress(ip=ip, candidates=number, seen=seen[ip]) for ip, number in people.items()]


def changed_addresses(exam: Exam) -> list[ChangedAddress]:
    """Those that changed most often first. Two statements."""
    of_exam = SeenAddress.objects.filter(exam=exam).order_by()
    counted = of_exam.values("attempt").annotate(number=Count("pk")).filter(number__gt=1)
    keys = list(counted.order_by("-number", "attempt").values_list("attempt", flat=True)[:MOST])
    seen: dict[int, list[SeenAddress]] = defaultdict(list)
    for row in of_exam.filter(attempt__in=keys).select_related("attempt__user").order_by("first_seen_at", "pk"):
        seen[row.attempt_id].append(row)
    return [ChangedAddress(attempt=seen[key][0].attempt, seen=seen[key]) for key in keys if key in seen]
