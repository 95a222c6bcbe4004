"""The contract's part on onboarding: the vendor's list of profiles, and forgetting a person."""

from __future__ import annotations

import json
from typing import ClassVar

from proctoring.backends.base import Backend
from proctoring.backends.types import OnboardingPage, ProfileStatus
from proctoring.errors import BackendError
from proctoring.testing.contract_base import EXAM, KEY, STRANGE, ContractBase, altered
from proctoring.testing.vendor_stub import Reply


class OnboardingContract(ContractBase):
    """For backends that claim ``supports_onboarding`` or ``retires_candidates``."""

    onboarding_body: ClassVar[bytes] = b""
    """The vendor's answer to ``list_onboarding``: JSON about one candidate at least."""

    def test_the_onboarding_list_is_read(self) -> None:
        self.require("supports_onboarding")
        page = self._page(self.onboarding_body)
        assert page.records, "onboarding_body names no candidate, or the backend does not find them in it"
        self._assert_storable(page)

    def test_an_onboarding_list_that_is_none_is_retryable(self) -> None:
        self.require("supports_onboarding")
        for body in (b"", b"{", b"<html>", b"null", b'"list"', b"\xff\xfe", b"[" * 100_000, b'{"count": NaN}'):
            error = self._refusal(body)
            assert error is not None, f"{body[:20]!r} was taken for a list"
            assert error.retryable

    def test_strange_values_in_an_onboarding_list_do_no_harm(self) -> None:
        """Rows may be left out, or the page refused; what is returned can be stored."""
        self.require("supports_onboarding")
        for value in STRANGE:
            for body in altered(json.loads(self.onboarding_body), value):
                try:
                    page = self._page(json.dumps(body).encode())
                except BackendError:
                    continue
                self._assert_storable(page)

    def test_a_candidate_who_is_not_known_counts_as_forgotten(self) -> None:
        self.require("retires_candidates")
        with self.server() as stub:
            stub.reply = Reply(status=404)
            self.backend(stub.url).retire_candidate("c4nd1d4te", key=KEY)
            assert stub.requests

    def _refusal(self, body: bytes) -> BackendError | None:
        try:
            self._page(body)
        except BackendError as error:
            return error
        return None

    def _page(self, body: bytes) -> OnboardingPage:
        with self.server() as stub:
            stub.reply = Reply(body=body)
            backend: Backend = self.backend(stub.url)
            return backend.list_onboarding(EXAM.course_id, cursor="")

    def _assert_storable(self, page: OnboardingPage) -> None:
        assert len(page.next_cursor) <= 200
        for record in page.records:
            assert 1 <= len(record.candidate_id) <= 255
            assert record.candidate_id.isprintable()
            assert isinstance(record.status, ProfileStatus)
            for moment in (record.changed_at, record.expires_at):
                assert moment is None or moment.utcoffset() is not None
