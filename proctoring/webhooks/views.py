"""Verify, store, answer. What a message means is found out later, by a task."""

from __future__ import annotations

import logging

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from proctoring.backends import backends
from proctoring.backends.base import Backend
from proctoring.backends.types import IncomingRequest
from proctoring.conf import settings
from proctoring.errors import MalformedMessage, NotConfigured, UnknownBackend, VerificationFailed
from proctoring.inbox.services import quarantine_malformed, store_message
from proctoring.outbox.circuits import note_unverified

logger = logging.getLogger(__name__)


@csrf_exempt
@login_not_required
@require_http_methods(["POST", "PUT"])
def receive(request: HttpRequest, alias: str) -> JsonResponse:
    """Take one message. The vendor's signature is the only credential.

    202 kept (also when it was kept before), 400 signed but malformed (kept in quarantine), 401 not verified,
    404 no such vendor, 413 too large, 503 we cannot keep it now.
    """
    backend = _receiver(alias)
    if backend is None:
        return _answer(404, "not_found", "No vendor sends webhooks here.")
    body = _read(request)
    if body is None:
        return _answer(413, "too_large", f"The body is larger than {settings.webhook_max_bytes} bytes.")
    headers = {name.lower(): value for name, value in request.headers.items()}
    now = timezone.now()
    try:
        verified = backend.verify(IncomingRequest(method=request.method or "", headers=headers, body=body), now=now)
    except VerificationFailed as unproven:
        note_unverified(alias, now=now)
        return _answer(401, unproven.code, "The signature could not be verified.")
    try:
        message, _ = store_message(backend=alias, delivery_id=verified.delivery_id, body=body, headers=headers, now=now)
    except NotConfigured:
        logger.exception("a webhook of %s could not be kept", alias)
        return _answer(503, "not_configured", "The message cannot be kept now; send it again later.")
    # Only now that it is kept: whatever a plugin does to this process, the message is not lost.
    if fault := _fault(backend, body):
        quarantine_malformed(message, fault)
        return _answer(400, "malformed", fault)
    return JsonResponse({"status": "accepted"}, status=202)


def _receiver(alias: str) -> Backend | None:
    try:
        backend = backends[alias]
    except UnknownBackend:
        return None
    return backend if backend.receives_webhooks else None


def _read(request: HttpRequest) -> bytes | None:
    """The raw body, or None where it is larger than allowed. Not ``request.body``: its limit is the host's."""
    limit = settings.webhook_max_bytes
    body = request.read(limit + 1)
    return None if len(body) > limit else body


def _fault(backend: Backend, body: bytes) -> str:
    try:
        backend.parse(body)
    except MalformedMessage as malformed:
        return str(malformed)
    # A plugin's mistake must not lose what the vendor sent: kept, it can be processed once the plugin is mended.
    except Exception:
        logger.exception("a webhook of %s could not be parsed", backend.alias)
    return ""


def _answer(status: int, code: str, detail: str) -> JsonResponse:
    return JsonResponse({"code": code, "detail": detail}, status=status)
