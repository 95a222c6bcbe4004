"""Onboarding profiles in the admin: to be read. They follow attempts and the vendors' lists, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy

from proctoring.admin.base import USERNAME, BackendFilter, CourseAdmin
from proctoring.admin.history import HistoryAdmin
from proctoring.attempts.models import Attempt, OnboardingProfile
from proctoring.permissions import watched_courses

if TYPE_CHECKING:
    from proctoring.host import User


@admin.register(OnboardingProfile)
class OnboardingProfileAdmin(CourseAdmin, HistoryAdmin):
    """A profile belongs to no course: whoever sees an attempt of its person with the same vendor sees it."""

    list_display = ("user", "backend", "status", "is_approved", "expires_at", "course_id", "synced_at")
    list_filter = ("status", BackendFilter, ("approved_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    search_fields = (f"^user__{USERNAME}",)
    search_help_text = gettext_lazy("How the person's user name begins")
    fields = (
        "user",
        "backend",
        "status",
        "course_id",
        "is_approved",
        "approved_at",
        "approved_course_id",
        "expires_at",
        "vendor_status",
        "synced_at",
        "modified_at",
    )
    readonly_fields = ("is_approved", "modified_at")
    history_fields = (
        "backend",
        "status",
        "course_id",
        "approved_at",
        "approved_course_id",
        "expires_at",
        "vendor_status",
    )
    not_in_history = ("user", "modified_at", "synced_at")

    def rows_of(self, user: User) -> Q:
        return Q(Exists(_attempts_seen_by(user).filter(user=OuterRef("user"), backend=OuterRef("backend"))))

    def may_see(self, user: User, obj: OnboardingProfile) -> bool:
        return _attempts_seen_by(user).filter(user=obj.user_id, backend=obj.backend).exists()

    @admin.display(description=gettext_lazy("approved"), boolean=True)
    def is_approved(self, profile: OnboardingProfile) -> bool:
        return profile.is_approved(timezone.now())


def _attempts_seen_by(user: User) -> QuerySet[Attempt]:
    return Attempt.objects.filter(watched_courses(user, "exam__course_id"))
