"""Django's own check of a form's token, with an answer of ours: who fails it is told to press again."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware

logger = logging.getLogger("django.security.csrf")


def comes_from_our_page(request: HttpRequest) -> bool:
    """Whether Django's CSRF protection lets this request through; if not, the log says why. Only for exempt views."""
    check = _Check(_nothing)
    check.process_request(request)
    return check.process_view(request, _nothing, (), {}) is None


class _Check(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        """Instead of the project's failure page, which nobody would see."""
        logger.warning("Forbidden (%s): %s", reason, request.path, extra={"status_code": 403, "request": request})
        return HttpResponseForbidden()


def _nothing(request: HttpRequest) -> HttpResponse:
    raise NotImplementedError
