"""The contract's part on live bookings: what became of each, how they stand, and the sessions they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from proctoring.backends.base import Backend
from proctoring.backends.live import BookingAnswer, BookingReport, BookingState, BookingWord, SessionPage
from proctoring.testing.contract_base import ATTEMPT, BOOKINGS, KEY, NO_DOCUMENTS, STRANGE, ContractBase
from proctoring.testing.vendor_stub import Reply


class BookingContract(ContractBase):
    """For backends that claim ``takes_live_bookings``. Bodies are JSON, as the vendor answers."""

    bookings_body: ClassVar[bytes] = b""
    """To ``book``: the first of ``contract_base.BOOKINGS`` is accepted, the second is refused for want of proctors."""

    booking_body: ClassVar[bytes] = b""
    """To ``fetch_booking``: it is confirmed."""

    sessions_body: ClassVar[bytes] = b""
    """To ``list_sessions``: one session at least, with a link."""

    def test_each_booking_has_its_own_answer(self) -> None:
        self.require("takes_live_bookings")
        [(_, outcome)] = self.outcomes(_book, [self.bookings_body])
        assert isinstance(outcome, Sequence), f"bookings_body was refused: {outcome!r}"
        answers = {answer.reference: answer for answer in outcome}
        first, second = (answers[booking.reference] for booking in BOOKINGS)
        assert (first.word, second.word) == (BookingWord.ACCEPTED, BookingWord.NO_CAPACITY)
        self._assert_answers_can_be_kept(outcome)

    def test_a_missing_answer_is_not_made_up(self) -> None:
        """A booking without an answer is sent again; one with a guessed answer is lost."""
        self.require("takes_live_bookings")
        for answers in self.tolerated(_book, self.bookings_body, None):
            references = [answer.reference for answer in answers]
            assert len(references) == len(set(references)), "two answers to one booking"
            assert set(references) <= {booking.reference for booking in BOOKINGS}

    def test_words_that_nobody_agreed_on_are_no_yes(self) -> None:
        self.require("takes_live_bookings")
        second = BOOKINGS[1].reference
        for answers in self.tolerated(_book, self.bookings_body, "transmogrified"):
            assert {answer.word for answer in answers if answer.reference == second} <= {
                BookingWord.NO_CAPACITY,
                BookingWord.REJECTED,
            }

    def test_a_confirmed_booking_is_reported_as_such(self) -> None:
        self.require("takes_live_bookings")
        [(_, report)] = self.outcomes(_fetch, [self.booking_body])
        assert isinstance(report, BookingReport), f"booking_body was refused: {report!r}"
        assert report.state is BookingState.CONFIRMED

    def test_what_does_not_say_how_a_booking_stands_is_retryable(self) -> None:
        self.require("takes_live_bookings")
        self.assert_retryable(_fetch, (*NO_DOCUMENTS, b"{}", b"[]", b'{"error": "internal error"}'))

    def test_the_sessions_are_read(self) -> None:
        self.require("takes_live_bookings")
        [(_, page)] = self.outcomes(_sessions, [self.sessions_body])
        assert isinstance(page, SessionPage), f"sessions_body was refused: {page!r}"
        assert page.records, "sessions_body has no session, or the backend does not find it there"
        assert page.records[0].join_url
        self._assert_sessions_can_be_kept(page)

    def test_what_is_no_list_of_answers_or_sessions_is_retryable(self) -> None:
        self.require("takes_live_bookings")
        self.assert_retryable(_book, (*NO_DOCUMENTS, b'{"error": "internal error"}'))
        self.assert_retryable(_sessions, (*NO_DOCUMENTS, b'{"error": "internal error"}'))

    def test_strange_values_about_bookings_do_no_harm(self) -> None:
        """Rows may be left out, or the answer refused; what is returned can be stored."""
        self.require("takes_live_bookings")
        for strange in STRANGE:
            for answers in self.tolerated(_book, self.bookings_body, strange):
                self._assert_answers_can_be_kept(answers)
            for report in self.tolerated(_fetch, self.booking_body, strange):
                assert isinstance(report.state, BookingState)
                assert isinstance(report.reason, BookingWord)
            for page in self.tolerated(_sessions, self.sessions_body, strange):
                self._assert_sessions_can_be_kept(page)

    def test_a_booking_that_is_gone_already_counts_as_cancelled(self) -> None:
        self.require("takes_live_bookings")
        reference = BOOKINGS[0].reference
        with self.server() as stub:
            stub.reply = Reply(status=404)
            self.backend(stub.url).cancel_booking("booking-1", reference=reference, key=KEY)
            assert stub.requests

    def test_a_booking_whose_id_never_came_can_be_cancelled(self) -> None:
        self.require("takes_live_bookings")
        reference = BOOKINGS[0].reference
        with self.server() as stub:
            stub.reply = Reply(status=404)
            self.backend(stub.url).cancel_booking("", reference=reference, key=KEY)
            assert any(reference in request.path or reference.encode() in request.body for request in stub.requests)

    def _assert_answers_can_be_kept(self, answers: Sequence[BookingAnswer]) -> None:
        for answer in answers:
            assert isinstance(answer.word, BookingWord)
            if answer.word in (BookingWord.ACCEPTED, BookingWord.EXISTS):
                assert 1 <= len(answer.external_id) <= 255
                assert answer.external_id.isprintable()

    def _assert_sessions_can_be_kept(self, page: SessionPage) -> None:
        assert len(page.next_cursor) <= 200
        for record in page.records:
            for external_id in (record.external_id, record.booking_external_id):
                assert 1 <= len(external_id) <= 255
                assert external_id.isprintable()
            assert isinstance(record.candidate_number, int)
            assert 0 <= record.candidate_number < 2**31
            assert not record.join_url or record.join_url.startswith(("http://", "https://"))
            assert record.joined_at is None or record.joined_at.utcoffset() is not None


def _book(backend: Backend) -> Sequence[BookingAnswer]:
    return backend.book(BOOKINGS, key=KEY)


def _fetch(backend: Backend) -> BookingReport:
    return backend.fetch_booking("booking-1")


def _sessions(backend: Backend) -> SessionPage:
    return backend.list_sessions(ATTEMPT.exam_external_id, cursor="")
