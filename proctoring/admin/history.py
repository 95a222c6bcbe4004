"""History in the admin: who changed what, when and why. It can be read, never reverted: a revert would write a
status past the service that guards it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from simple_history.admin import SimpleHistoryAdmin
from simple_history.template_utils import HistoricalRecordContextHelper

from proctoring.admin.rendering import moment
from proctoring.admin.words import reason_in_words


class ReadableValues(HistoricalRecordContextHelper):
    """Old and new values in people's words."""

    def prepare_delta_change_value(self, change: Any, value: Any) -> Any:
        words = dict(self.model._meta.get_field(change.field).flatchoices)
        if isinstance(value, str) and value in words:
            return str(words[value])
        if value is None or value == "":
            return _("nothing")
        if isinstance(value, datetime):
            return moment(value)
        return super().prepare_delta_change_value(change, value)


class HistoryAdmin(SimpleHistoryAdmin):
    object_history_list_template = "admin/proctoring/history_list.html"
    history_list_per_page = 50
    history_fields: ClassVar[Sequence[str]] = ()
    """What the page of one version shows."""
    not_in_history: ClassVar[Collection[str]] = ()
    """Fields whose changes are not shown."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self._visible(request, object_id)
        return super().history_view(request, object_id, extra_context)

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One version, to look at. Whatever settings of simple-history say: nothing is written from here."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        self._visible(request, object_id)
        try:
            version = self.model.history.select_related("history_user").get(id=object_id, history_id=version_id)
        except (self.model.history.model.DoesNotExist, ValueError, ValidationError) as unknown:
            raise Http404 from unknown
        context = {
            "subtitle": _("%(when)s, by %(who)s: %(why)s")
            % {
                "when": moment(version.history_date),
                "who": self.who_did(version, version.prev_record if version.history_user is None else None),
                "why": reason_in_words(version.history_change_reason) or version.get_history_type_display(),
            },
            **(extra_context or {}),
            "revert_disabled": True,
            "change_history": False,
            "opts": self.opts,
        }
        return super().history_form_view(request, object_id, version_id, context)

    def _visible(self, request: HttpRequest, object_id: str) -> None:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.may_look_back(request, row):
            raise PermissionDenied

    def may_look_back(self, request: HttpRequest, obj: Any) -> bool:
        """Whether the person, who sees the row, may also read who changed it and why."""
        return True

    def who_did(self, version: Any, before: Any) -> str:
        return str(version.history_user or _("the system"))

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if _looks_back(request):
            return [(None, {"fields": self.history_fields})]
        return super().get_fieldsets(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if _looks_back(request):
            return self.history_fields
        return super().get_readonly_fields(request, obj)

    def get_history_queryset(self, request: HttpRequest, history_manager: Any, pk_name: str, object_id: Any) -> Any:
        """With who it was: for a model without foreign keys simple-history forgets that it had asked for them."""
        rows = super().get_history_queryset(request, history_manager, pk_name, object_id)
        return rows.select_related("history_user")

    def set_history_delta_changes(
        self, request: HttpRequest, historical_records: Any, foreign_keys_are_objs: bool = True
    ) -> None:
        """The last row of a page is compared as well, with the first of the next."""
        rows = list(historical_records)
        if historical_records.has_next():
            rows.append(historical_records.paginator.object_list[historical_records.end_index()])
        for newer, older in pairwise([*rows, None]):
            newer.who = self.who_did(newer, older)
            newer.why = reason_in_words(newer.history_change_reason)
        for newer, older in pairwise(rows):
            delta = newer.diff_against(
                older, excluded_fields=self.not_in_history, foreign_keys_are_objs=foreign_keys_are_objs
            )
            newer.history_delta_changes = ReadableValues(self.model, newer).context_for_delta_changes(delta)


def _looks_back(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and str(match.url_name).endswith("_simple_history")
