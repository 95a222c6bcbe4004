"""The contract's outgoing half: a vendor that is slow, broken, rude or down."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from typing import ClassVar

from proctoring.errors import BackendAuthenticationError, BackendError, BackendRejected
from proctoring.testing.contract_base import KEY, ContractBase
from proctoring.testing.vendor_stub import HUGE, Manner, Reply, VendorStubRequest

MAX_PATIENCE = 24 * 3600.0
QUESTIONS = ("fetch_launch", "list_onboarding", "fetch_booking", "list_sessions", "list_ratings")
"""Calls that change nothing at the vendor and have no key."""
SUCCESS = b'{"id": "1", "status": "deleted", "download_url": "https://example.com/", "instructions": ["Go"]}'


class OutgoingContract(ContractBase):
    """Each test makes every call that the backend claims."""

    idempotency_header: ClassVar[str] = "Idempotency-Key"
    """The header in which the wire has room for the key; empty where it has none."""

    def test_good_options_have_no_complaints(self) -> None:
        assert list(self.backend().check()) == []

    def test_a_server_error_is_retryable(self) -> None:
        for status in (500, 502, 503, 504):
            for error in self._failures(Reply(status=status, body=b"<h1>Oops</h1>")):
                assert error.retryable

    def test_too_many_requests_is_retryable_when_the_vendor_says(self) -> None:
        for error in self._failures(Reply(status=429, headers={"Retry-After": "7"})):
            assert error.retryable
            assert error.retry_after == 7

    def test_a_hostile_retry_after_is_bounded_or_ignored(self) -> None:
        dates = ("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 -2359", "Thu, 99 Foo 2030")
        for value in ("-1", "9" * 400, "soon", "Infinity", "nan", "1e9", "", "٣", *dates):
            header = value.encode().decode("latin-1")
            for error in self._failures(Reply(status=503, headers={"Retry-After": header})):
                assert error.retryable
                assert error.retry_after is None or 0 <= error.retry_after <= MAX_PATIENCE

    def test_a_vendor_that_does_not_answer_is_given_up(self) -> None:
        for error in self._failures(Reply(body=SUCCESS, manner=Manner.NEVER), at_once=True):
            assert error.retryable

    def test_headers_that_drip_are_cut_off(self) -> None:
        for error in self._failures(Reply(body=SUCCESS, manner=Manner.DRIPPING_HEADERS), at_once=True):
            assert error.retryable

    def test_a_body_that_drips_is_cut_off(self) -> None:
        for error in self._failures(Reply(body=SUCCESS, manner=Manner.DRIPPING_BODY), at_once=True):
            assert error.retryable

    def test_a_connection_that_breaks_is_retryable(self) -> None:
        for error in self._failures(Reply(manner=Manner.CUT)):
            assert error.retryable

    def test_a_vendor_that_is_down_is_retryable(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            calls = self.calls(self.backend(f"http://127.0.0.1:{unused.getsockname()[1]}"))
            for name, call in calls.items():
                assert self._failure(name, call).retryable

    def test_no_redirect_is_followed(self) -> None:
        for status in (301, 302, 303, 307, 308):
            with self.server() as stub:
                stub.reply = Reply(status=status, body=SUCCESS, headers={"Location": stub.url + "/elsewhere"})
                for name, call in self.calls(self.backend(stub.url)).items():
                    assert not self._failure(name, call).retryable
                assert not [request for request in stub.requests if request.path == "/elsewhere"]

    def test_a_huge_body_is_not_read_to_its_end(self) -> None:
        with self.server() as stub:
            stub.reply = Reply(body=SUCCESS, manner=Manner.HUGE)
            for name, call in self.calls(self.backend(stub.url)).items():
                stub.bytes_sent = 0
                self._failure(name, call)
                assert stub.bytes_sent < HUGE

    def test_an_answer_that_is_not_what_was_agreed_is_retryable(self) -> None:
        bodies = (b"", b"{", b"<html>", b"[]", b"null", b'"id"', b"\xff\xfe", b"[" * 100_000, b'{"id": NaN}', b"{}")
        for body in bodies:
            for error in self._failures(Reply(body=body), calls=("register_exam", "register_attempt")):
                assert error.retryable
            if body != b"{}":  # a vendor may have nothing to say about the launch
                for error in self._failures(Reply(body=body), calls=("fetch_launch",)):
                    assert error.retryable

    def test_a_success_with_an_error_inside_is_no_success(self) -> None:
        body = b'{"error": "internal error", "code": 500}'
        for error in self._failures(Reply(body=body), calls=("register_exam", "register_attempt")):
            assert error.retryable

    def test_an_id_that_cannot_be_stored_is_not_accepted(self) -> None:
        for value in (b"null", b'""', b"true", b"{}", b"[]", b'"' + b"x" * 256 + b'"', b'"a\\u0000"', b'"\\ud800"'):
            reply = Reply(body=b'{"id": ' + value + b"}")
            for error in self._failures(reply, calls=("register_exam", "register_attempt")):
                assert error.retryable

    def test_refused_credentials_are_not_tried_again(self) -> None:
        for status in (401, 403):
            for error in self._failures(Reply(status=status)):
                assert isinstance(error, BackendAuthenticationError)
                assert not error.retryable

    def test_a_refusal_is_final_and_says_why(self) -> None:
        for status in (400, 409, 422):
            for error in self._failures(Reply(status=status, body=b'{"detail": "quota exceeded"}')):
                assert isinstance(error, BackendRejected)
                assert not error.retryable
                assert error.reason

    def test_an_attempt_that_is_gone_already_counts_as_removed(self) -> None:
        self.require("registers_attempts")
        with self.server() as stub:
            stub.reply = Reply(status=404)
            self.calls(self.backend(stub.url))["remove_attempt"]()
            assert stub.requests

    def test_the_idempotency_key_is_sent(self) -> None:
        with self.server() as stub:
            stub.reply = Reply(body=SUCCESS)
            for name, call in self.calls(self.backend(stub.url)).items():
                if name in QUESTIONS:
                    continue
                stub.requests.clear()
                with suppress(BackendError) if name == "book" else nullcontext():  # for it this is no answer
                    call()
                assert stub.requests, f"{name} sent nothing"
                if self.idempotency_header:
                    sent = {request.headers.get(self.idempotency_header.lower()) for request in stub.requests}
                    assert sent == {KEY}, f"{name} does not send its key as {self.idempotency_header}"

    def test_secrets_are_in_no_error_and_no_repr(self) -> None:
        def echo(status: int) -> Callable[[VendorStubRequest], Reply]:
            def reply(request: VendorStubRequest) -> Reply:
                said = f"{request.headers} {request.body!r} {self.credentials} {self.secrets}"
                body = said.replace("\\", "").replace('"', "'")
                return Reply(status=status, body=f'{{"error": "{body}", "detail": "{body}"}}'.encode())

            return reply

        for status in (200, 302, 400, 401, 500):
            with self.server() as stub:
                stub.reply = echo(status)
                backend = self.backend(stub.url)
                for call in self.calls(backend).values():
                    try:
                        call()
                    except BackendError as error:
                        self.assert_keeps_secrets(error)
                for secret in (*self.credentials, *self.secrets):
                    assert secret not in repr(backend)

    def _failures(
        self, reply: Reply, *, calls: Collection[str] | None = None, at_once: bool = False
    ) -> list[BackendError]:
        """The error of each claimed call against ``reply``; a call that raises none, or another, fails the test.

        ``at_once``: by a thread for each call, which saves time where each of them waits.
        """
        with self.server() as stub:
            stub.reply = reply
            claimed = self.calls(self.backend(stub.url))
            chosen = [(name, call) for name, call in claimed.items() if calls is None or name in calls]
            if not at_once:
                return [self._failure(name, call) for name, call in chosen]
            with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
                return list(pool.map(lambda pair: self._failure(*pair), chosen))

    def _failure(self, name: str, call: Callable[[], object]) -> BackendError:
        try:
            result = call()
        except BackendError as error:
            self.assert_keeps_secrets(error)
            return error
        raise AssertionError(f"{name} raised no BackendError but returned {result!r}")
