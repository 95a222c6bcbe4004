"""Reviews in the admin: what a vendor concluded, to be read. A verdict is changed at its attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import USERNAME, CourseAdmin
from proctoring.admin.history import HistoryAdmin
from proctoring.admin.rendering import EMPTY, link_to, pretty, text_block
from proctoring.permissions import may_watch, watched_courses
from proctoring.reviews.models import Review

if TYPE_CHECKING:
    from proctoring.host import User


@admin.register(Review)
class ReviewAdmin(CourseAdmin, HistoryAdmin):
    list_display = (
        "status",
        "of_attempt",
        "candidate",
        "source",
        "reviewed_by",
        "occurred_at",
        "applied_at",
        "not_applied_reason",
    )
    list_filter = ("status", "source", ("applied_at", admin.EmptyFieldListFilter))
    list_select_related = ("attempt__exam", "attempt__user")
    search_fields = ("=attempt__id", f"^attempt__user__{USERNAME}", "^attempt__exam__course_id")
    search_help_text = gettext_lazy("The attempt's id, or the beginning of the candidate's or the course's name")
    fields = (
        "of_attempt",
        "candidate",
        "status",
        "source",
        "reviewed_by",
        "occurred_at",
        "received_at",
        "applied_at",
        "not_applied_reason",
        "of_message",
        "vendors_data",
    )
    history_fields = (
        "status",
        "source",
        "reviewed_by",
        "occurred_at",
        "received_at",
        "applied_at",
        "not_applied_reason",
    )
    not_in_history = ("payload", "message")

    def rows_of(self, user: User) -> Q:
        return watched_courses(user, "attempt__exam__course_id")

    def may_see(self, user: User, obj: Review) -> bool:
        return may_watch(user, obj.attempt.exam.course_id)

    @admin.display(description=gettext_lazy("attempt"))
    def of_attempt(self, review: Review) -> str:
        return link_to("attempt", review.attempt_id, review.attempt)

    @admin.display(description=gettext_lazy("candidate"))
    def candidate(self, review: Review) -> str:
        return str(review.attempt.user)

    @admin.display(description=gettext_lazy("message"))
    def of_message(self, review: Any) -> str:
        if review.message_id is None:
            return EMPTY
        may_open = review.viewer.has_perm("proctoring.view_webhookmessage")
        return link_to("webhookmessage", review.message_id, review.message_id, permitted=may_open)

    @admin.display(description=gettext_lazy("vendor's data"))
    def vendors_data(self, review: Review) -> str:
        return text_block(pretty(review.payload), label=_("Vendor's data"))
