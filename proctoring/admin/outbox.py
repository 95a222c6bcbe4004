"""Deliveries (calls to vendors, effects on the LMS, mails) and vendor connections in the admin: to look at, and to try
again what was refused or given up.

They concern all courses, so Django's own permissions count: ``view_delivery`` to look, ``change_delivery`` to repeat.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import BackendFilter, ProctoringAdmin
from proctoring.admin.rendering import EMPTY, bullets, link_to, link_to_list, moment, short
from proctoring.outbox.circuits import close_circuit
from proctoring.outbox.models import Circuit, Delivery, DeliveryStatus, DeliveryTarget
from proctoring.outbox.services import repeat

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
        parts.append(short(row.last_error))
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
    list_display = (
        "operation",
        "argument",
        "status",
        "receiver",
        "about",
        "tries",
        "next_try",
        "waits_for",
        "error",
    )
    list_filter = ("status", OwedFilter, "kind", BackendFilter, "operation", "target")
    search_fields = ("=key", "=target_id")
    search_help_text = gettext_lazy("The idempotency key, or the id of the exam or attempt")
    actions = ("try_again",)
    fields = (
        "operation",
        "argument",
        "kind",
        "backend",
        "topic",
        "about",
        "status",
        "waits_for",
        "tries",
        "next_try_at",
        "last_error",
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
        return rows.annotate(first_in_line=Exists(first_in_line))

    def has_repeat_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("proctoring.change_delivery")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With what every call to a vendor waits for at the moment, above the list."""
        now = timezone.now()
        resting = [circuit for circuit in Circuit.objects.exclude(open_until=None) if circuit.state(now) == "open"]
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
        label = f"{delivery.get_target_display()} {delivery.target_id}"
        if delivery.target not in PAGES:
            return label
        return link_to(PAGES[delivery.target], delivery.target_id, label)

    @admin.display(description=gettext_lazy("next try"))
    def next_try(self, delivery: Delivery) -> str:
        if delivery.status != DeliveryStatus.DUE:
            return EMPTY
        return date_format(timezone.localtime(delivery.next_try_at), "SHORT_DATETIME_FORMAT")

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
        return short(delivery.last_error)


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
        "last_error",
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
        return short(circuit.last_error)
