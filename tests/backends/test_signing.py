"""Signatures: ours are the standard's, and nothing but a good one is believed."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from proctoring.backends import signing
from proctoring.errors import VerificationFailed

SECRET = "whsec_" + base64.b64encode(b"n" * 32).decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"o" * 24).decode()
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
BODY = '{"type": "attempt.ready", "ü": "½"}'.encode()


def test_the_reference_library_believes_what_we_sign() -> None:
    now = datetime.now(UTC)
    headers = signing.sign(BODY, secret=SECRET, delivery_id="msg_1", at=now)
    Webhook(SECRET).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD_SECRET).verify(BODY, headers)


def test_we_believe_what_the_reference_library_signs() -> None:
    signature = Webhook(SECRET).sign("msg_1", NOW, BODY.decode())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": f"v1a,AAAA {signature}",
    }
    assert signing.verify(headers, BODY, secrets=[SECRET], now=NOW) == "msg_1"


def test_any_of_several_secrets_and_signatures_is_enough_during_a_rotation() -> None:
    old = signing.sign(BODY, secret=OLD_SECRET, delivery_id="msg_1", at=NOW)
    new = signing.sign(BODY, secret=SECRET, delivery_id="msg_1", at=NOW)
    both = {**new, "webhook-signature": f"{old['webhook-signature']} {new['webhook-signature']}"}
    assert signing.verify(old, BODY, secrets=[SECRET, OLD_SECRET], now=NOW) == "msg_1"
    assert signing.verify(both, BODY, secrets=[OLD_SECRET], now=NOW) == "msg_1"
    assert signing.verify(both, BODY, secrets=[SECRET], now=NOW) == "msg_1"


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_of_clock_difference_are_tolerated_and_not_a_second_more(seconds: int) -> None:
    at = NOW + timedelta(seconds=seconds)
    signing.verify(signing.sign(BODY, secret=SECRET, delivery_id="m", at=at), BODY, secrets=[SECRET], now=NOW)
    beyond = at + timedelta(seconds=1 if seconds > 0 else -1)
    headers = signing.sign(BODY, secret=SECRET, delivery_id="m", at=beyond)
    with pytest.raises(VerificationFailed):
        signing.verify(headers, BODY, secrets=[SECRET], now=NOW)


@pytest.mark.parametrize("delivery_id", ["", "x" * 256, "a b", "a\nb", "ä", "\x7f"])
def test_a_delivery_id_that_cannot_be_kept_is_refused(delivery_id: str) -> None:
    headers = signing.sign(BODY, secret=SECRET, delivery_id=delivery_id, at=NOW)
    with pytest.raises(VerificationFailed):
        signing.verify(headers, BODY, secrets=[SECRET], now=NOW)


def test_a_delivery_id_of_255_characters_is_kept_whole() -> None:
    headers = signing.sign(BODY, secret=SECRET, delivery_id="x" * 255, at=NOW)
    assert signing.verify(headers, BODY, secrets=[SECRET], now=NOW) == "x" * 255


def test_a_flood_of_signatures_is_not_computed() -> None:
    good = signing.sign(BODY, secret=SECRET, delivery_id="m", at=NOW)
    flood = {**good, "webhook-signature": "v1,x " * 20 + good["webhook-signature"]}
    with pytest.raises(VerificationFailed):
        signing.verify(flood, BODY, secrets=[SECRET], now=NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_YQ==", "whsec_not base64!", "secret", "whsec_é"])
def test_a_secret_that_is_none_signs_nothing_and_is_reported_without_being_told(secret: str) -> None:
    headers = signing.sign(BODY, secret=SECRET, delivery_id="m", at=NOW)
    with pytest.raises(VerificationFailed):
        signing.verify(headers, BODY, secrets=[secret], now=NOW)
    (problem,) = signing.secret_problems([secret])
    assert "number 1" in problem
    assert not secret or secret == "secret" or f"{secret} " not in problem.removeprefix("webhook secret number 1: ")


def test_the_empty_key_opens_nothing() -> None:
    import hashlib
    import hmac

    timestamp = str(int(NOW.timestamp()))
    digest = hmac.new(b"", f"m.{timestamp}.".encode() + BODY, hashlib.sha256).digest()
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
    with pytest.raises(VerificationFailed):
        signing.verify(headers, BODY, secrets=["whsec_", ""], now=NOW)
