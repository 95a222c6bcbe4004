"""Who speaks for the page of an attempt: a token that the page was given, or whoever the host's authenticators know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from proctoring.attempts.tokens import PageClaims, verify_page_token
from proctoring.errors import NotPermitted

HEADER = "X-Proctoring-Page"


@dataclass(frozen=True, slots=True)
class PageHolder:
    """Who has a page's token: known by key alone, without a query."""

    pk: Any
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False


class PageToken(BaseAuthentication):
    """The header ``X-Proctoring-Page``. It speaks for one attempt's page and for nothing else, so it is only among the
    authenticators of what pages report. A token that has expired leaves it to the next authenticator."""

    def authenticate(self, request: Request) -> tuple[Any, PageClaims] | None:
        token = request.META.get("HTTP_X_PROCTORING_PAGE")
        if not token:
            return None
        try:
            claims = verify_page_token(token, now=timezone.now())
            key = get_user_model()._meta.pk.to_python(claims.user)
        except (NotPermitted, ValidationError):
            return None
        return PageHolder(key), claims

    def authenticate_header(self, request: Request) -> str:
        return 'Session realm="api"'


def refuse_other_page(request: Request, attempt_id: int) -> None:
    """A page's token is good for its own attempt alone. Raises ``NotFound``, as for any attempt that is not theirs."""
    if isinstance(request.auth, PageClaims) and request.auth.attempt != attempt_id:
        raise exceptions.NotFound(_("Not found."))


class PageTokenScheme(OpenApiAuthenticationExtension):
    """What the description says of it."""

    target_class = PageToken
    name = "pageToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "header", "name": HEADER}
