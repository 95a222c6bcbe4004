"""Reviews in the admin: what was concluded, to be read. A verdict is changed at its attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.encoding import iri_to_uri
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import USERNAME, CourseAdmin, is_own
from proctoring.admin.history import HistoryAdmin
from proctoring.admin.rendering import EMPTY, bullets, link_to, moment, pretty, text_block
from proctoring.errors import NotConfigured, NotPermitted
from proctoring.permissions import may_review, may_watch, watched_courses
from proctoring.reviews.models import Review, ReviewComment
from proctoring.reviews.services import open_video
from proctoring.reviews.verdicts import NotApplied

if TYPE_CHECKING:
    from proctoring.host import User

SHOWN = 200
"""Comments, versions and looks at the recording that the page lists."""


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
    concealed = ("payload", "sealed_video_url")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "of_attempt",
                    "candidate",
                    "status",
                    "source",
                    "reviewed_by",
                    "author",
                    "note",
                    "occurred_at",
                    "received_at",
                    "applied_at",
                    "why_not_applied",
                )
            },
        ),
        (gettext_lazy("What was seen"), {"fields": ("comments", "recording", "looks")}),
        (gettext_lazy("Where it comes from"), {"fields": ("versions", "of_message", "vendors_data")}),
    )
    history_fields = (
        "status",
        "source",
        "reviewed_by",
        "author",
        "note",
        "occurred_at",
        "received_at",
        "applied_at",
        "not_applied_reason",
    )
    not_in_history = (*concealed, "message")

    def rows_of(self, user: User) -> Q:
        """Not what is said about one's own attempts."""
        watched = watched_courses(user, "attempt__exam__course_id")
        return watched if user.is_superuser else watched & ~Q(attempt__user=user.pk)

    def may_see(self, user: User, obj: Review) -> bool:
        return may_watch(user, obj.attempt.exam.course_id) and not is_own(user, obj.attempt)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Review]:
        """A page of the list does not fetch fifty vendors' data."""
        return super().get_queryset(request).defer(*self.concealed)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.video_view)
        return [path("<int:pk>/video/", view, name="proctoring_review_video"), *super().get_urls()]

    def video_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """To the recording: for reviewers of the course alone, and written down."""
        review = self.get_object(request, str(pk))
        if review is None:
            raise Http404
        if not may_review(request.user, review.attempt.exam.course_id):
            raise PermissionDenied
        try:
            url = open_video(review, by=request.user)
        except NotPermitted as refused:
            raise PermissionDenied(str(refused)) from refused
        except NotConfigured as gone:
            raise Http404(str(gone)) from gone
        if not url:
            raise Http404
        headers = {"Location": iri_to_uri(url), "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return HttpResponse(status=302, headers=headers)

    @admin.display(description=gettext_lazy("attempt"))
    def of_attempt(self, review: Review) -> str:
        return link_to("attempt", review.attempt_id, review.attempt)

    @admin.display(description=gettext_lazy("candidate"))
    def candidate(self, review: Review) -> str:
        return str(review.attempt.user)

    @admin.display(description=gettext_lazy("not applied because"))
    def why_not_applied(self, review: Review) -> str:
        code = review.not_applied_reason
        return str(NotApplied(code).label) if code in NotApplied else code or EMPTY

    @admin.display(description=gettext_lazy("comments"))
    def comments(self, review: Review) -> str:
        return bullets(_sentence(comment) for comment in review.comments.all()[:SHOWN])

    @admin.display(description=gettext_lazy("recording"))
    def recording(self, review: Any) -> str:
        if not review.has_video:
            return EMPTY
        if not may_review(review.viewer, review.attempt.exam.course_id):
            return _("There is one; reviewers may open it.")
        address = reverse("admin:proctoring_review_video", args=(review.pk,))
        return format_html('<a href="{}" rel="noreferrer">{}</a>', address, _("Open it (this is written down)"))

    @admin.display(description=gettext_lazy("opened by"))
    def looks(self, review: Review) -> str:
        views = review.views.select_related("by")[:SHOWN]
        return bullets(f"{moment(view.at)}: {view.by or _('somebody who has no account any more')}" for view in views)

    @admin.display(description=gettext_lazy("reviews of this attempt"))
    def versions(self, review: Review) -> str:
        rows = review.attempt.reviews.defer(*self.concealed)[:SHOWN]
        return bullets(link_to("review", row.pk, _version(row), permitted=row.pk != review.pk) for row in rows)

    @admin.display(description=gettext_lazy("message"))
    def of_message(self, review: Any) -> str:
        if review.message_id is None:
            return EMPTY
        may_open = review.viewer.has_perm("proctoring.view_webhookmessage")
        return link_to("webhookmessage", review.message_id, review.message_id, permitted=may_open)

    @admin.display(description=gettext_lazy("vendor's data"))
    def vendors_data(self, review: Review) -> str:
        return text_block(pretty(review.payload), label=_("Vendor's data"))


def _version(review: Review) -> str:
    outcome = _("applied") if review.applied_at else review.not_applied_reason
    return f"{moment(review.occurred_at)}: {review.get_status_display()}, {review.get_source_display()} ({outcome})"


def _sentence(comment: ReviewComment) -> str:
    """Where, how severe, and what."""
    moments = [_clock(one) for one in (comment.start_seconds, comment.stop_seconds) if one is not None]
    return " · ".join(part for part in ("–".join(moments), comment.severity, comment.text) if part)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
