"""The reference wire's list of onboarding profiles, and forgetting a person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from proctoring.backends.rest import RestBackend
from proctoring.backends.rest.onboarding import MAX_PAGES, MAX_RECORDS
from proctoring.backends.types import OnboardingRecord, ProfileStatus
from proctoring.errors import BackendError
from proctoring.testing import Reply
from tests.backends.test_rest import Vendor, backend, json_reply, vendor

__all__ = ["backend", "vendor"]

COURSE = "course-v1:Acme+Chemistry+2030"


def row(user_id: Any = "c-1", status: Any = "pending", **fields: Any) -> dict[str, Any]:
    return {"user_id": user_id, "status": status, "expiration_date": None, **fields}


def records(backend: RestBackend, cursor: str = "") -> list[OnboardingRecord]:
    return list(backend.list_onboarding(COURSE, cursor=cursor).records)


def test_a_page_is_asked_for_under_the_courses_path(vendor: Vendor, backend: RestBackend) -> None:
    vendor.reply = json_reply(results=[], num_pages=1)
    backend.list_onboarding(COURSE, cursor="")
    backend.list_onboarding(COURSE, cursor="7")
    address = urlsplit(vendor.requests[0].path)
    assert (vendor.requests[0].method, address.path) == (
        "GET",
        "/api/v1/courses/course-v1%3AAcme%2BChemistry%2B2030/onboarding_statuses",
    )
    assert [parse_qs(urlsplit(request.path).query) for request in vendor.requests] == [
        {"page": ["1"], "page_size": ["100"]},
        {"page": ["7"], "page_size": ["100"]},
    ]


@pytest.mark.parametrize(
    ("word", "status", "in_course"),
    [
        ("no_profile", ProfileStatus.NONE, None),
        ("pending", ProfileStatus.PENDING, None),
        ("approved", ProfileStatus.APPROVED, None),
        ("approved_in_course", ProfileStatus.APPROVED, True),
        ("approved-in-course", ProfileStatus.APPROVED, True),
        ("other_course_approved", ProfileStatus.APPROVED, False),
        ("rejected", ProfileStatus.REJECTED, None),
        ("Expired", ProfileStatus.EXPIRED, None),
    ],
)
def test_the_words_of_the_wire(
    vendor: Vendor, backend: RestBackend, word: str, status: ProfileStatus, in_course: bool | None
) -> None:
    vendor.reply = json_reply(results=[row(status=word)], num_pages=1)
    assert records(backend) == [OnboardingRecord(candidate_id="c-1", status=status, in_course=in_course)]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2031-01-01T10:00:00+02:00", datetime(2031, 1, 1, 8, tzinfo=UTC)),
        ("2031-01-01T10:00:00", None),
        ("9999-12-31T23:59:59+00:00", None),
        ("soon", None),
        (17, None),
    ],
)
def test_a_date_that_cannot_be_believed_is_none(
    vendor: Vendor, backend: RestBackend, value: Any, read: datetime | None
) -> None:
    vendor.reply = json_reply(results=[row(expiration_date=value)], num_pages=1)
    assert records(backend)[0].expires_at == read


def test_rows_that_cannot_be_understood_are_passed_over(vendor: Vendor, backend: RestBackend) -> None:
    strange = [None, 7, [], {}, row(status="enlightened"), row(status=None), row(None), row("x" * 300), row("a\x00")]
    vendor.reply = json_reply(results=[*strange, row("c-9")], num_pages=1)
    assert [one.candidate_id for one in records(backend)] == ["c-9"]


@pytest.mark.parametrize("body", [{}, {"results": None}, {"results": {}}, {"results": [], "error": "internal"}])
def test_an_answer_without_a_list_is_tried_again(vendor: Vendor, backend: RestBackend, body: dict[str, Any]) -> None:
    vendor.reply = json_reply(**body)
    with pytest.raises(BackendError) as refused:
        records(backend)
    assert refused.value.retryable


@pytest.mark.parametrize(
    ("fields", "cursor", "following"),
    [
        ({"num_pages": 3}, "", "2"),
        ({"num_pages": 3}, "3", ""),
        ({"num_pages": 10**30}, str(MAX_PAGES), ""),
        ({"num_pages": "many"}, "", ""),
        ({"next": "https://vendor.example.com/?page=2"}, "1", "2"),
        ({"next": None}, "1", ""),
        ({"num_pages": 3}, "-1", "2"),
        ({"num_pages": 3}, "9" * 400, "2"),
    ],
)
def test_where_the_list_goes_on(
    vendor: Vendor, backend: RestBackend, fields: dict[str, Any], cursor: str, following: str
) -> None:
    vendor.reply = json_reply(results=[row()], **fields)
    assert backend.list_onboarding(COURSE, cursor=cursor).next_cursor == following


def test_an_empty_page_is_the_last_one_and_a_full_one_without_a_count_is_not(
    vendor: Vendor, backend: RestBackend
) -> None:
    vendor.reply = json_reply(results=[], num_pages=9)
    assert backend.list_onboarding(COURSE, cursor="").next_cursor == ""
    vendor.reply = json_reply(results=[row(f"c-{n}") for n in range(100)])
    assert backend.list_onboarding(COURSE, cursor="").next_cursor == "2"


def test_a_page_is_bounded(vendor: Vendor, backend: RestBackend) -> None:
    vendor.reply = json_reply(results=[row(f"c-{n}") for n in range(MAX_RECORDS + 5)], num_pages=1)
    assert len(records(backend)) == MAX_RECORDS


@pytest.mark.parametrize("body", [b"true", b"false", b"", b" true\n", b'{"ok": true}'])
def test_a_person_is_forgotten_whether_or_not_there_was_anybody(
    vendor: Vendor, backend: RestBackend, body: bytes
) -> None:
    vendor.reply = Reply(body=body)
    backend.retire_candidate("c 1/é", key="k-1")
    [request] = vendor.requests
    assert (request.method, request.path) == ("DELETE", "/api/v1/user/c%201%2F%C3%A9/")
    assert request.headers["idempotency-key"] == "k-1"


def test_an_error_inside_a_success_forgets_nobody(vendor: Vendor, backend: RestBackend) -> None:
    vendor.reply = json_reply(error="locked")
    with pytest.raises(BackendError):
        backend.retire_candidate("c-1", key="k")


@pytest.mark.parametrize("status", [404, 410])
def test_somebody_who_is_gone_is_forgotten(vendor: Vendor, backend: RestBackend, status: int) -> None:
    vendor.reply = Reply(status=status)
    backend.retire_candidate("c-1", key="k")
