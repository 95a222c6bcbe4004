"""The one place where what went wrong becomes HTTP: ``{"code", "detail", "errors"?, "data"?}``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.views import set_rollback

from proctoring.errors import (
    BackendError,
    Conflict,
    InvalidInput,
    NotConfigured,
    NotPermitted,
    ProctoringError,
    RuleBroken,
    UnknownBackend,
)

STATUS: Mapping[type[ProctoringError], int] = {
    InvalidInput: 400,
    NotPermitted: 403,
    Conflict: 409,
    RuleBroken: 422,
    BackendError: 502,
    NotConfigured: 503,
    UnknownBackend: 503,
}
"""The nearest ancestor counts. What has none here is a fault of ours: 500."""

RETRY_AFTER_SECONDS = 30
"""What a client is told where the vendor named no time."""


class ProblemSerializer(serializers.Serializer[Any]):
    """Every answer that is not a success."""

    code = serializers.CharField(help_text=_("A stable word for what is wrong."))
    detail = serializers.CharField(help_text=_("A sentence for people, in the language of the request."))
    errors = serializers.DictField(  # type: ignore[assignment]  # the contract's name
        child=serializers.ListField(child=serializers.CharField()), help_text=_("Field → sentences (400).")
    )
    data = serializers.DictField(  # type: ignore[assignment]  # the contract's name
        help_text=_("Further facts, such as unmet prerequisites.")
    )

    optional_in_answers = ("errors", "data")


def problem(exc: Exception, context: Mapping[str, Any] | None = None) -> Response | None:
    """The exception handler of our views; the host's stays the host's. None lets the exception through."""
    if isinstance(exc, ProctoringError):
        return _ours(exc)
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, DjangoPermissionDenied):
        exc = exceptions.PermissionDenied()
    elif isinstance(exc, SuspiciousOperation | BadRequest | MultiPartParserError):
        exc = exceptions.ParseError(_("The request is malformed."))
    if isinstance(exc, exceptions.APIException):
        return _frameworks(exc)
    return None


def _ours(error: ProctoringError) -> Response | None:
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), None)
    if status is None:
        return None
    body: dict[str, Any] = {"code": error.code, "detail": str(error)}
    headers = {}
    if isinstance(error, InvalidInput) and error.errors:
        body["errors"] = error.errors
    if error.data:
        body["data"] = error.data
    if isinstance(error, BackendError) and error.retryable:
        status = 503
    if status >= 500:
        wished = getattr(error, "retry_after", None)
        headers["Retry-After"] = str(math.ceil(wished or RETRY_AFTER_SECONDS))
    set_rollback()
    return Response(body, status=status, headers=headers)


def _frameworks(exc: exceptions.APIException) -> Response:
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    set_rollback()
    if isinstance(exc, exceptions.ValidationError):
        body = {"code": "invalid", "detail": _("The input is not valid."), "errors": flatten(exc.detail)}
    else:
        body = {"code": str(exc.get_codes()), "detail": str(exc.detail)}
    return Response(body, status=exc.status_code, headers=headers)


def flatten(detail: Any, name: str = "") -> dict[str, list[str]]:
    """Serializers nest their errors; the contract has one list of sentences for each field, dotted where nested."""
    if isinstance(detail, Mapping):
        parts = detail.items()
    elif isinstance(detail, list) and any(isinstance(one, Mapping | list) for one in detail):
        parts = {str(at): one for at, one in enumerate(detail) if one}.items()
    else:
        sentences = detail if isinstance(detail, list) else [detail]
        return {name or "non_field_errors": [str(one) for one in sentences]}
    flat: dict[str, list[str]] = {}
    for key, value in parts:
        flat |= flatten(value, f"{name}.{key}" if name else str(key))
    return flat
