"""Deliveries (calls to vendors, effects on the LMS, mails) and vendor connections in the admin: to look at, and to try
again what was refused or given up.

They concern all courses, so Django's own permissions count: ``view_delivery`` to look, ``change_delivery`` to repeat.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import USERNAME, BackendFilter, ProctoringAdmin
from proctoring.admin.rendering import EMPTY, bullets, link_to, link_to_list, moment, short
from proctoring.admin.words import carried_by, delivery_in_words, failure_in_words
from proctoring.attempts.models import Attempt
from proctoring.bookings.models import Booking
from proctoring.exams.models import Exam
from proctoring.outbox.circuits import close_circuit
from proctoring.outbox.models import Circuit, Delivery, DeliveryStatus, DeliveryTarget
from proctoring.outbox.services import repeat
from proctoring.permissions import booked_courses, watched_courses

if TYPE_CHECKING:
    from proctoring.host import User

PAGES = {
    DeliveryTarget.EXAM.value: "exam",
    DeliveryTarget.ATTEMPT.value: "attempt",
    DeliveryTarget.BOOKING.value: "booking",
}
"""The targets that have a page of their own here."""

SHOWN = 50
"""Deliveries of one target that its page lists."""

SOME_DAY = datetime(9999, 1, 1, tzinfo=UTC)


def with_whose(rows: QuerySet[Delivery], *, attempts: Q, exams: Q, bookings: Q) -> QuerySet[Delivery]:
    """With the exam and the person they are about, where that is among these attempts, exams and bookings. A delivery
    keeps only the id."""
    of_attempt = Attempt.objects.filter(attempts, pk=OuterRef("target_id"))
    of_exam = Exam.objects.filter(exams, pk=OuterRef("target_id"))
    of_booking = Booking.objects.filter(bookings, pk=OuterRef("target_id"))
    is_attempt = Q(target=DeliveryTarget.ATTEMPT)
    return rows.annotate(
        exam_name=Case(
            When(is_attempt, then=Subquery(of_attempt.values("exam__name")[:1])),
            When(target=DeliveryTarget.EXAM, then=Subquery(of_exam.values("name")[:1])),
            When(target=DeliveryTarget.BOOKING, then=Subquery(of_booking.values("exam__name")[:1])),
        ),
        whose=Case(When(is_attempt, then=Subquery(of_attempt.values(f"user__{USERNAME}")[:1]))),
    )


def about(row: Any, *, link_exams: bool = True) -> str:
    """Whose attempt or which exam, for who sees it; of a row of ``with_whose``. The page of an exam is for staff."""
    if row.exam_name is None:
        return f"{row.get_target_display()} {row.target_id}"
    label = f"{row.whose}, {row.exam_name}" if row.target == DeliveryTarget.ATTEMPT else row.exam_name
    return link_to(PAGES[row.target], row.target_id, label, permitted=link_exams or row.target != DeliveryTarget.EXAM)


def owed_to_vendor(target: DeliveryTarget, target_id: int, *, viewer: User) -> str:
    """The newest deliveries of an exam or attempt, one a line; links for who may open them. One statement."""
    rows = list(Delivery.objects.filter(target=target, target_id=target_id)[: SHOWN + 1])
    may_open = viewer.has_perm("proctoring.view_delivery")
    lines: list[object] = [
        link_to("delivery", row.pk, f"{row}: {_outcome(row)}", permitted=may_open) for row in rows[:SHOWN]
    ]
    if len(rows) > SHOWN:
        query = {"target__exact": target.value, "target_id__exact": target_id}
        lines.append(link_to_list("delivery", query, _("and older ones"), permitted=may_open))
    return bullets(lines)


def _outcome(row: Delivery) -> str:
    parts = [row.get_status_display()]
    if row.status == DeliveryStatus.DONE:
        parts.append(moment(row.done_at))
    elif row.status == DeliveryStatus.DUE:
        parts.append(_("next try %s") % moment(row.next_try_at))
    if row.last_error:
        parts.append(short(failure_in_words(row.last_error)))
    return ", ".join(parts)


class OwedFilter(admin.SimpleListFilter):
    title = gettext_lazy("owed")
    parameter_name = "owed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("Owed: due, refused or given up"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Delivery]:
        return queryset.owed() if self.value() == "yes" else queryset


@admin.register(Delivery)
class DeliveryAdmin(ProctoringAdmin):
    list_display = ("what", "status", "next_try", "error", "about", "receiver", "tries", "waits_for")
    list_filter = ("status", OwedFilter, "kind", BackendFilter, "operation", "target")
    search_fields = ("=key", "=target_id")
    search_help_text = gettext_lazy("The idempotency key, or the id of the exam or attempt")
    actions = ("try_again",)
    fields = (
        "operation",
        "carried",
        "kind",
        "backend",
        "topic",
        "about",
        "status",
        "waits_for",
        "tries",
        "next_try_at",
        "whole_error",
        "duration_ms",
        "claimed_until",
        "claimed_by",
        "key",
        "created_at",
        "done_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """With whether an earlier delivery of the same target goes first: what no worker would ever claim now."""
        first_in_line = Delivery.objects.claimable(SOME_DAY).filter(pk=OuterRef("pk"))
        rows: QuerySet[Delivery] = super().get_queryset(request)
        named = with_whose(
            rows,
            attempts=watched_courses(request.user, "exam__course_id"),
            exams=watched_courses(request.user, "course_id"),
            bookings=booked_courses(request.user, "exam__course_id"),
        )
        return named.annotate(first_in_line=Exists(first_in_line))

    def has_repeat_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("proctoring.change_delivery")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With what every call to a vendor waits for at the moment, above the list."""
        now = timezone.now()
        resting = [
            (circuit, short(failure_in_words(circuit.last_error)))
            for circuit in Circuit.objects.exclude(open_until=None)
            if circuit.state(now) == "open"
        ]
        return super().changelist_view(request, {**(extra_context or {}), "resting": resting})

    @admin.action(description=gettext_lazy("Try again"), permissions=["repeat"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        self.act_on_each(request, self.chosen(request, queryset), repeat, done=gettext_lazy("is due again."))

    def row_name(self, row: Any) -> str:
        return f"{row} #{row.pk}"

    @admin.display(description=gettext_lazy("to"), ordering="backend")
    def receiver(self, delivery: Delivery) -> str:
        return delivery.backend or delivery.get_kind_display()

    @admin.display(description=gettext_lazy("about"))
    def about(self, delivery: Delivery) -> str:
        return about(delivery)

    @admin.display(description=gettext_lazy("next try"))
    def next_try(self, delivery: Delivery) -> str:
        if delivery.status != DeliveryStatus.DUE:
            return EMPTY
        return moment(delivery.next_try_at)

    @admin.display(description=gettext_lazy("waits for"))
    def waits_for(self, delivery: Delivery) -> str:
        if delivery.status != DeliveryStatus.DUE or getattr(delivery, "first_in_line", True):
            return EMPTY
        query = {
            "target__exact": delivery.target,
            "target_id__exact": delivery.target_id,
            "topic__exact": delivery.topic,
            "id__lt": delivery.pk,
        }
        return link_to_list("delivery", query, _("earlier deliveries"))

    @admin.display(description=gettext_lazy("last error"))
    def error(self, delivery: Delivery) -> str:
        return short(failure_in_words(delivery.last_error))

    @admin.display(description=gettext_lazy("last error"))
    def whole_error(self, delivery: Delivery) -> str:
        return failure_in_words(delivery.last_error)

    @admin.display(description=gettext_lazy("what"))
    def what(self, delivery: Delivery) -> str:
        return delivery_in_words(delivery)

    @admin.display(description=gettext_lazy("with"))
    def carried(self, delivery: Delivery) -> str:
        return carried_by(delivery)


@admin.register(Circuit)
class CircuitAdmin(ProctoringAdmin):
    actions = ("call_again",)
    list_display = (
        "backend",
        "state_now",
        "failures",
        "error",
        "last_success_at",
        "owed",
        "not_verified",
    )
    fields = (
        "backend",
        "state_now",
        "open_until",
        "failures",
        "whole_error",
        "last_success_at",
        "owed",
        "unverified",
        "last_unverified_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Circuit]:
        owed = Delivery.objects.owed().filter(backend=OuterRef("backend")).order_by().values("backend")
        rows: QuerySet[Circuit] = super().get_queryset(request)
        return rows.annotate(n_owed=Coalesce(Subquery(owed.annotate(n=Count("pk")).values("n")), 0))

    def has_repeat_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("proctoring.change_delivery")

    @admin.action(description=gettext_lazy("Call again now"), permissions=["repeat"])
    def call_again(self, request: HttpRequest, queryset: QuerySet[Circuit]) -> None:
        """Wrong credentials stop the calls until somebody says that they were mended."""
        self.act_on_each(
            request,
            self.chosen(request, queryset),
            lambda circuit: close_circuit(circuit.backend),
            done=gettext_lazy("is called again."),
        )

    @admin.display(description=gettext_lazy("now"))
    def state_now(self, circuit: Circuit) -> str:
        return {
            "closed": _("Calls go out"),
            "open": _("Calls wait until %s") % moment(circuit.open_until),
            "stopped": _("Calls wait until a person says so"),
            "half_open": _("The next call is a trial"),
        }[circuit.state(timezone.now())]

    @admin.display(description=gettext_lazy("not verified"))
    def not_verified(self, circuit: Circuit) -> int:
        return circuit.unverified

    @admin.display(description=gettext_lazy("calls owed"))
    def owed(self, circuit: Any) -> str:
        return link_to_list("delivery", {"backend": circuit.backend, "owed": "yes"}, circuit.n_owed)

    @admin.display(description=gettext_lazy("last error"))
    def error(self, circuit: Circuit) -> str:
        return short(failure_in_words(circuit.last_error))

    @admin.display(description=gettext_lazy("last error"))
    def whole_error(self, circuit: Circuit) -> str:
        return failure_in_words(circuit.last_error)
