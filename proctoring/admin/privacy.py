"""Privacy in the admin, for privacy officers alone: legal holds are placed and released, certificates are read.

Pseudonyms have no page: whoever could look them up could undo them. A command prints one for support.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from proctoring.admin.base import ProctoringAdmin, ServiceAdmin, ServiceForm
from proctoring.admin.rendering import bullets, moment
from proctoring.permissions import is_privacy_officer
from proctoring.privacy.certificates import verify
from proctoring.privacy.holds import place_hold, release_hold
from proctoring.privacy.models import DeletionCertificate, LegalHold

if TYPE_CHECKING:
    from django.utils.safestring import SafeString


class OfficersAdmin(ProctoringAdmin):
    """Django's own permissions count for nothing here: the host says who is a privacy officer."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_privacy_officer(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_privacy_officer(request.user)


class HoldForm(ServiceForm):
    class Meta:
        model = LegalHold
        fields = ("user", "course_id", "reason")
        help_texts = {
            "user": gettext_lazy("The id of the account. Either a person or a course."),
            "reason": gettext_lazy("Kept until the person is erased, and seen by privacy officers alone."),
        }


@admin.register(LegalHold)
class HoldAdmin(OfficersAdmin, ServiceAdmin):
    form = HoldForm
    list_display = ("number", "user", "course_id", "placed_at", "placed_by", "released_at", "released_by")
    list_filter = (("released_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user", "placed_by", "released_by")
    raw_id_fields = ("user",)
    fields = ("user", "course_id", "reason", "placed_at", "placed_by", "released_at", "released_by")
    actions = ("release",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_privacy_officer(request.user)

    def get_fields(self, request: HttpRequest, obj: LegalHold | None = None) -> Any:
        return self.fields if obj is not None else HoldForm.Meta.fields

    def save_model(self, request: HttpRequest, obj: LegalHold, form: Any, change: bool) -> None:
        wanted = {name: form.cleaned_data[name] for name in HoldForm.Meta.fields}
        obj.pk = place_hold(by=request.user, **wanted).pk
        obj.refresh_from_db()

    @admin.action(description=gettext_lazy("Release"), permissions=["view"])
    def release(self, request: HttpRequest, queryset: QuerySet[LegalHold]) -> None:
        def act(hold: LegalHold) -> None:
            release_hold(hold, by=request.user)

        self.act_on_each(request, self.chosen(request, queryset), act, done=gettext_lazy("is released."))

    @admin.display(description=gettext_lazy("hold"))
    def number(self, hold: LegalHold) -> str:
        return str(hold)


@admin.register(DeletionCertificate)
class CertificateAdmin(OfficersAdmin):
    list_display = ("number", "kind", "made_at", "made_by", "rows", "intact")
    list_filter = ("kind",)
    list_select_related = ("made_by",)
    search_fields = ("=subject", "=digest")
    search_help_text = gettext_lazy("The whole subject or digest")
    fields = ("kind", "subject", "reason", "deleted", "left", "told", "made", "made_by", "digest", "intact")

    @admin.display(description=gettext_lazy("certificate"))
    def number(self, certificate: DeletionCertificate) -> str:
        return f"#{certificate.pk}"

    @admin.display(description=gettext_lazy("rows"))
    def rows(self, certificate: DeletionCertificate) -> int:
        return sum(certificate.counts.values())

    @admin.display(description=gettext_lazy("emptied or deleted"))
    def deleted(self, certificate: DeletionCertificate) -> str | SafeString:
        return bullets(f"{name}: {rows}" for name, rows in sorted(certificate.counts.items()))

    @admin.display(description=gettext_lazy("unclear places"))
    def left(self, certificate: DeletionCertificate) -> str | SafeString:
        return bullets(f"{name}: {places}" for name, places in sorted(certificate.unclear.items()))

    @admin.display(description=gettext_lazy("vendors told"))
    def told(self, certificate: DeletionCertificate) -> str | SafeString:
        return bullets(certificate.vendors)

    @admin.display(description=gettext_lazy("made at"))
    def made(self, certificate: DeletionCertificate) -> str:
        return moment(certificate.made_at)

    @admin.display(description=gettext_lazy("unaltered"), boolean=True)
    def intact(self, certificate: DeletionCertificate) -> bool:
        return verify(certificate)
