"""Webhook messages in the admin: what became of them, and to process one again.

They concern all courses, so Django's own permissions count: ``view_webhookmessage`` shows a message without its body,
``change_webhookmessage`` opens the body and processes again.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import BackendFilter, ProctoringAdmin
from proctoring.admin.rendering import bullets, foreign_text, link_to, pretty, short, text_block
from proctoring.errors import NotConfigured
from proctoring.inbox.models import WebhookMessage
from proctoring.inbox.services import replay


@admin.register(WebhookMessage)
class MessageAdmin(ProctoringAdmin):
    list_display = (
        "delivery",
        "backend",
        "kind",
        "status",
        "tries",
        "what_is_wrong",
        "received_at",
    )
    list_filter = ("status", BackendFilter)
    search_fields = ("=delivery_id", "=sha256")
    search_help_text = gettext_lazy("The vendor's delivery id, or the SHA-256 of the body")
    actions = ("process_again",)
    concealed = ("sealed_body", "headers")
    fields = (
        "backend",
        "delivery_id",
        "type",
        "status",
        "tries",
        "next_try_at",
        "give_up_at",
        "error",
        "received_at",
        "sent_at",
        "processed_at",
        "claimed_until",
        "sha256",
        "kept_headers",
        "reviews",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookMessage]:
        """Without the bodies: they are large, and opened one at a time."""
        rows: QuerySet[WebhookMessage] = super().get_queryset(request)
        return rows.defer("sealed_body")

    def has_open_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("proctoring.change_webhookmessage")

    def get_fields(self, request: HttpRequest, obj: WebhookMessage | None = None) -> Any:
        return (*self.fields, "opened_body") if self.has_open_permission(request) else self.fields

    @admin.action(description=gettext_lazy("Process again"), permissions=["open"])
    def process_again(self, request: HttpRequest, queryset: QuerySet[WebhookMessage]) -> None:
        self.act_on_each(
            request, self.chosen(request, queryset), replay, done=gettext_lazy("is going to be processed again.")
        )

    def row_name(self, row: Any) -> str:
        return f"{row} #{row.pk}"

    @admin.display(description=gettext_lazy("delivery id"))
    def delivery(self, message: WebhookMessage) -> str:
        return short(message.delivery_id)

    @admin.display(description=gettext_lazy("type"))
    def kind(self, message: WebhookMessage) -> str:
        return short(message.type)

    @admin.display(description=gettext_lazy("error"))
    def what_is_wrong(self, message: WebhookMessage) -> str:
        return short(message.error)

    @admin.display(description=gettext_lazy("headers"))
    def kept_headers(self, message: WebhookMessage) -> str:
        return text_block(pretty(message.headers), label=_("Headers"))

    @admin.display(description=gettext_lazy("reviews"))
    def reviews(self, message: WebhookMessage) -> str:
        return bullets(link_to("review", review.pk, review) for review in message.reviews.all())

    @admin.display(description=gettext_lazy("body"))
    def opened_body(self, message: WebhookMessage) -> str:
        """Decrypted for this page. What looks like a secret, and links, are left out."""
        if not message.sealed_body:
            return _("No longer kept.")
        try:
            return text_block(foreign_text(message.body), label=_("Body"))
        except NotConfigured as locked:
            return str(locked)
