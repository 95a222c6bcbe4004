"""The contract's part on ratings: the vendor's list of them."""

from __future__ import annotations

from typing import ClassVar

from proctoring.backends.base import Backend
from proctoring.backends.live import RatingPage
from proctoring.testing.contract_base import NO_DOCUMENTS, SINCE, STRANGE, ContractBase


class RatingContract(ContractBase):
    """For backends that claim ``gives_ratings``."""

    ratings_body: ClassVar[bytes] = b""
    """The vendor's answer to ``list_ratings``: JSON with one good rating at least."""

    def test_the_ratings_are_read(self) -> None:
        self.require("gives_ratings")
        [(_, page)] = self.outcomes(_list, [self.ratings_body])
        assert isinstance(page, RatingPage)
        assert any(not record.problem for record in page.records), "ratings_body has no rating that is understood"
        self._assert_ratings_can_be_kept(page)

    def test_what_is_no_list_of_ratings_is_retryable(self) -> None:
        self.require("gives_ratings")
        self.assert_retryable(_list, (*NO_DOCUMENTS, b"{}", b'{"error": "internal error"}'))

    def test_strange_values_in_a_list_of_ratings_do_no_harm(self) -> None:
        """Rows may have a problem or be left out, or the page be refused; what is returned can be stored."""
        self.require("gives_ratings")
        for strange in STRANGE:
            for page in self.tolerated(_list, self.ratings_body, strange):
                self._assert_ratings_can_be_kept(page)

    def _assert_ratings_can_be_kept(self, page: RatingPage) -> None:
        assert len(page.next_cursor) <= 200
        for record in page.records:
            rated = [name for name in (record.session_external_id, record.attempt_external_id) if name]
            assert len(rated) == 1, "a rating is of one session or one attempt"
            assert len(rated[0]) <= 255
            assert rated[0].isprintable()
            if record.problem:
                continue
            assert 0 <= record.risk <= 1
            assert record.mapping_version
            assert record.rated_at is not None
            assert record.rated_at.utcoffset() is not None
            assert record.candidate_number is None or 0 <= record.candidate_number < 2**31


def _list(backend: Backend) -> RatingPage:
    return backend.list_ratings(since=SINCE, cursor="")
