"""The contract's incoming half: messages that are forged, old, repeated, altered or nonsense."""

from __future__ import annotations

import json
import unittest
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from proctoring.backends import signing
from proctoring.backends.base import Backend
from proctoring.backends.types import IncomingRequest, VendorEvent
from proctoring.errors import MalformedMessage, VerificationFailed
from proctoring.testing.contract_base import ContractBase

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
STRANGERS_SECRET = "whsec_c29tZWJvZHktZWxzZXMtc2VjcmV0LXNvbWVib2R5"  # noqa: S105 - made for tests

_GARBAGE = ("", " ", "x", "v1,", "v1", ",", "v1,AAAA", "1" * 5000, "-1", "1e9", "٣", "\x00", "\ud800", "é", "v1,é")
_WRONG_VALUES: Sequence[Any] = (
    None, True, 0, -1, 1.5, 10**30, "", "\x00", "\ud800", "x" * 100_000, "2030-01-01T12:00:00",
    [], [None], {}, {"a": []},
)  # fmt: skip
_NOT_MESSAGES = (
    b"", b"{", b"null", b"true", b"1", b'"x"', b"[]", b"{}", b"\xff\xfe\x00", b"[" * 100_000, b'{"a":' * 100_000,
    b'{"type": NaN}', b'{"type": 1e999}', b"9" * 10_000, b"\x00",
)  # fmt: skip


class IncomingContract(ContractBase):
    """Signatures by default as Standard Webhooks has them; override ``sign`` for another scheme."""

    webhook_body: ClassVar[bytes] = b""
    """A good message in the vendor's words, from which at least one event comes."""

    unknown_word_bodies: ClassVar[Sequence[bytes]] = ()
    """Messages that are well formed but use words the vendor never agreed on, in a status for example."""

    malformed_bodies: ClassVar[Sequence[bytes]] = _NOT_MESSAGES

    strangers_secret: ClassVar[str] = STRANGERS_SECRET
    """A secret of the right form that ``make_backend`` does not configure."""

    signs_time: ClassVar[bool] = True
    """The scheme notices an old message."""

    def sign(self, body: bytes, *, secret: str, delivery_id: str, at: datetime) -> Mapping[str, str]:
        """Return the headers (lower-case names) with which the vendor would send ``body``, each of them needed."""
        return signing.sign(body, secret=secret, delivery_id=delivery_id, at=at)

    def test_a_signed_message_is_believed_and_means_something(self) -> None:
        backend = self.require("receives_webhooks")
        message = backend.verify(self._request(), now=NOW)
        assert 1 <= len(message.delivery_id) <= 255
        events = backend.parse(self.webhook_body)
        assert events
        assert all(isinstance(event, VendorEvent) and event.occurred_at.tzinfo for event in events)

    def test_every_configured_secret_is_accepted(self) -> None:
        backend = self.require("receives_webhooks")
        for secret in self.secrets:
            backend.verify(self._request(secret=secret), now=NOW)

    def test_a_strangers_signature_is_refused(self) -> None:
        backend = self.require("receives_webhooks")
        self._refuse(backend, self._request(secret=self.strangers_secret))

    def test_a_message_without_a_header_is_refused(self) -> None:
        backend = self.require("receives_webhooks")
        headers = self._request().headers
        for missing in headers:
            rest = {name: value for name, value in headers.items() if name != missing}
            self._refuse(backend, self._request(headers=rest))
        self._refuse(backend, self._request(headers={}))

    def test_garbage_in_a_header_is_refused_and_nothing_worse(self) -> None:
        backend = self.require("receives_webhooks")
        headers = self._request().headers
        for name, good in headers.items():
            for garbage in (*_GARBAGE, good[:-1], good + "x", good[::-1]):
                self._refuse(backend, self._request(headers={**headers, name: garbage}))

    def test_an_altered_body_is_refused(self) -> None:
        backend = self.require("receives_webhooks")
        if not backend.signs_body:
            raise unittest.SkipTest(f"{type(backend).__name__} does not claim signs_body")
        headers = self._request().headers
        for body in (self.webhook_body + b" ", self.webhook_body[:-1], b"", b"{}"):
            self._refuse(backend, self._request(body=body, headers=headers))

    def test_an_old_message_is_refused(self) -> None:
        self._refuse(self._backend_that_signs_time(), self._request(at=NOW - timedelta(hours=1)))

    def test_a_message_from_the_future_is_refused(self) -> None:
        self._refuse(self._backend_that_signs_time(), self._request(at=NOW + timedelta(hours=1)))

    def test_a_repeated_delivery_has_the_same_id_and_another_one_a_different_id(self) -> None:
        backend = self.require("receives_webhooks")
        first = backend.verify(self._request(), now=NOW).delivery_id
        assert backend.verify(self._request(), now=NOW).delivery_id == first
        other = self._request(body=self.webhook_body + b" ", delivery_id="msg_2")
        assert backend.verify(other, now=NOW).delivery_id != first

    def test_words_nobody_agreed_on_are_refused_or_quarantined(self) -> None:
        backend = self.require("receives_webhooks")
        if not self.unknown_word_bodies:
            raise unittest.SkipTest("unknown_word_bodies is empty")
        for body in self.unknown_word_bodies:
            assert all(type(event).__name__ == "UnknownEvent" for event in self._parse(backend, body))

    def test_what_is_no_message_is_malformed(self) -> None:
        backend = self.require("receives_webhooks")
        for body in self.malformed_bodies:
            try:
                backend.parse(body)
            except MalformedMessage:
                continue
            raise AssertionError(f"{body[:40]!r} was taken for a message")

    def test_wrong_values_in_a_message_are_malformed_or_tamed(self) -> None:
        backend = self.require("receives_webhooks")
        try:
            good = json.loads(self.webhook_body)
        except ValueError:
            raise unittest.SkipTest("the vendor's messages are not JSON") from None
        for mutant in _mutants(good):
            for event in self._parse(backend, json.dumps(mutant).encode()):
                assert event.occurred_at.tzinfo, "an event without its offset from UTC"
                # What a database cannot hold may not get past the vendor's folder.
                assert "\\x00" not in repr(event)
                assert "\\ud800" not in repr(event)

    def test_fields_nobody_knows_are_ignored(self) -> None:
        backend = self.require("receives_webhooks")
        try:
            good = json.loads(self.webhook_body)
        except ValueError:
            raise unittest.SkipTest("the vendor's messages are not JSON") from None
        if not isinstance(good, dict):
            raise unittest.SkipTest("the vendor's messages are not JSON objects")
        assert backend.parse(json.dumps({**good, "a field of next year": {"deep": [1]}}).encode())

    def _backend_that_signs_time(self) -> Backend:
        backend = self.require("receives_webhooks")
        if not self.signs_time:
            raise unittest.SkipTest(f"{type(self).__name__} says that the scheme signs no time")
        return backend

    def _request(
        self,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        secret: str = "",
        delivery_id: str = "msg_1",
        at: datetime = NOW,
    ) -> IncomingRequest:
        body = self.webhook_body if body is None else body
        if headers is None:
            headers = self.sign(body, secret=secret or self.secrets[0], delivery_id=delivery_id, at=at)
        return IncomingRequest(method="POST", headers=headers, body=body)

    def _refuse(self, backend: Backend, request: IncomingRequest) -> None:
        try:
            message = backend.verify(request, now=NOW)
        except VerificationFailed as error:
            self.assert_keeps_secrets(error)
            return
        raise AssertionError(f"{request!r} was believed: {message!r}")

    def _parse(self, backend: Backend, body: bytes) -> Sequence[VendorEvent]:
        """The events, none where the body is refused; any other exception fails the test."""
        try:
            return backend.parse(body)
        except MalformedMessage:
            return ()


def _mutants(value: Any) -> Iterator[Any]:
    """``value`` with each of its parts in turn replaced by each wrong value, or left out."""
    yield from _WRONG_VALUES
    if isinstance(value, dict):
        for name, item in value.items():
            yield {other: kept for other, kept in value.items() if other != name}
            for mutant in _mutants(item):
                yield {**value, name: mutant}
    elif isinstance(value, list):
        for place, item in enumerate(value):
            for mutant in _mutants(item):
                yield [*value[:place], mutant, *value[place + 1 :]]
