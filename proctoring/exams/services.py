"""Saving exams. Each save leaves an outbox row for the vendor; no vendor is called here.

A changed due date reaches running attempts through ``attempts/schedule.py``, which is what doors call.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from proctoring.errors import Conflict, InvalidInput, UnknownBackend
from proctoring.exams.models import Exam, ExamType
from proctoring.outbox.models import Delivery, DeliveryTarget, Operation
from proctoring.outbox.services import promise_call, supersede_waiting
from proctoring.signals import announce, exam_saved

if TYPE_CHECKING:
    from proctoring.host import User

EDITABLE = (
    "name",
    "exam_type",
    "status",
    "time_limit_minutes",
    "opens_at",
    "due_at",
    "accommodations_past_due",
    "hide_after_due",
    "viewable_past_due",
    "backend",
    "rules",
    "review_policy",
    "allow_opt_out",
    "heartbeat_seconds",
    "outage_policy",
    "outage_cap_minutes",
)
"""What may be changed after creation; ``course_id`` and ``content_id`` are the exam's identity."""


def create_exam(fields: Mapping[str, Any], *, by: User) -> Exam:
    """Create an exam from the names of ``EDITABLE`` and its identity.

    Raises ``InvalidInput`` (per field) and ``Conflict`` (``exam_exists``).
    """
    exam = Exam(**fields)
    _validate(exam)
    try:
        with transaction.atomic():
            _save(exam, by=by)
    except IntegrityError as taken:
        raise Conflict(_("This course has an exam for this content already."), code="exam_exists") from taken
    return exam


def update_exam(exam: Exam, changes: Mapping[str, Any], *, by: User) -> bool:
    """Apply ``changes`` (names of ``EDITABLE``); False, and no save, where they change nothing.

    Raises ``InvalidInput``.
    """
    changed = {name: value for name, value in changes.items() if getattr(exam, name) != value}
    if not changed:
        return False
    for name, value in changed.items():
        setattr(exam, name, value)
    _validate(exam)
    with transaction.atomic():
        _save(exam, by=by)
    return True


def record_exam_registration(exam_id: int, backend: str, external_id: str) -> None:
    """Keep the id that this vendor gave."""
    with transaction.atomic():
        exam = Exam.objects.select_for_update().get(pk=exam_id)
        if exam.external_id_at(backend) != external_id:
            exam.external_ids = {**exam.external_ids, backend: external_id}
            exam._change_reason = f"registered with {backend}"  # type: ignore[attr-defined]  # simple-history's protocol
            exam.save()


def owe_registration(exam_id: int, backend: str) -> None:
    """An attempt waits for the exam's registration with this vendor: see to it that somebody owes it.

    It may never have been promised: the default vendor was another one when the exam was saved.
    """
    with transaction.atomic():
        exam = Exam.objects.select_for_update().get(pk=exam_id)
        owed = Delivery.objects.owed().filter(
            operation=Operation.REGISTER_EXAM, target=DeliveryTarget.EXAM, target_id=exam_id, backend=backend
        )
        if not exam.external_id_at(backend) and not owed.exists():
            _promise(exam, backend)


def promise_registration(exam: Exam) -> None:
    """Owe the vendor this exam as it is when the call goes out; a promise that still waits is taken back."""
    try:
        if not exam.vendor.registers_exams:
            return
    except UnknownBackend:
        # Owed all the same: the plugin may be mended before the exam begins, and checks.py reports it.
        pass
    supersede_waiting(operation=Operation.REGISTER_EXAM, target=DeliveryTarget.EXAM, target_id=exam.pk)
    _promise(exam, exam.backend_alias)


def _promise(exam: Exam, backend: str) -> None:
    promise_call(
        backend=backend,
        operation=Operation.REGISTER_EXAM,
        target=DeliveryTarget.EXAM,
        target_id=exam.pk,
        key=f"{Operation.REGISTER_EXAM.value}-{uuid.uuid4().hex}",
    )


def _validate(exam: Exam) -> None:
    try:
        exam.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as wrong:
        raise InvalidInput(errors=wrong.message_dict) from wrong


def _save(exam: Exam, *, by: User) -> None:
    exam._history_user = by if by.is_authenticated else None  # type: ignore[attr-defined]  # simple-history's protocol
    exam.save()
    if exam.exam_type != ExamType.TIMED:
        promise_registration(exam)
    announce(exam_saved, exam=exam)
