"""The outgoing half of the reference wire: what is said, and how answers are understood."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from proctoring.backends.rest import RestBackend
from proctoring.backends.types import LaunchData, OnboardingBlock, Progress
from proctoring.errors import BackendAuthenticationError, BackendError, BackendRejected
from proctoring.testing import Reply, VendorStub, VendorStubRequest
from proctoring.testing.contract_base import ATTEMPT, EXAM, STANDARD_OLD_SECRET, STANDARD_SECRET

CLIENT_SECRET = "a-client-secret-of-thirty-two-bytes"


class Vendor(VendorStub):
    """Gives tokens ``token-1``, ``token-2``… and remembers how often it was asked for one."""

    def __init__(self) -> None:
        super().__init__(self.token)
        self.token_requests: list[VendorStubRequest] = []
        self.token_reply: Callable[[int], Reply] = lambda number: json_reply(access_token=f"token-{number}")

    def token(self, request: VendorStubRequest) -> Reply | None:
        if request.path != "/oauth2/access_token":
            return None
        self.token_requests.append(request)
        return self.token_reply(len(self.token_requests))


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor() as stub:
        yield stub


@pytest.fixture
def backend(vendor: Vendor) -> RestBackend:
    return backend_with(base_url=vendor.url + "/")


def backend_with(**options: Any) -> RestBackend:
    good = {
        "base_url": "https://vendor.example.com",
        "client_id": "lms",
        "client_secret": CLIENT_SECRET,
        "webhook_secrets": [STANDARD_SECRET, STANDARD_OLD_SECRET],
        "total_timeout": 5,
    }
    return RestBackend(**{**good, **options})


def json_reply(code: int = 200, /, **fields: Any) -> Reply:
    return Reply(status=code, body=json.dumps(fields).encode())


def test_an_exam_is_created_and_updated_under_its_own_path(vendor: Vendor, backend: RestBackend) -> None:
    vendor.reply = json_reply(id=17)
    assert backend.register_exam(EXAM, key="k") == "17"
    assert backend.register_exam(replace(EXAM, external_id="e/1"), key="k") == "17"
    assert [request.path for request in vendor.requests] == ["/api/v1/exam/", "/api/v1/exam/e%2F1/"]
    assert json.loads(vendor.requests[0].body) == {
        "course_id": "course-v1:Acme+Chemistry+2030",
        "content_id": "block-v1:Acme+Chemistry+2030+type@exam+block@final",
        "exam_name": "Chemistry ½",
        "exam_type": "proctored",
        "time_limit_mins": 90,
        "due_date": "2030-01-01T12:00:00+00:00",
        "is_proctored": True,
        "is_practice_exam": False,
        "is_active": True,
        "external_id": None,
        "rules": {},
    }


def test_an_attempt_is_registered_under_a_pseudonym(vendor: Vendor, backend: RestBackend) -> None:
    vendor.reply = json_reply(id="a-1")
    registered = backend.register_attempt(ATTEMPT, key="k-1")
    assert (registered.external_id, registered.blocked, registered.launch) == ("a-1", None, None)
    request = vendor.requests[0]
    assert (request.method, request.path) == ("POST", "/api/v1/exam/exam%201%2F%C3%A9/attempt/")
    assert request.headers["authorization"] == "JWT token-1"
    assert request.headers["idempotency-key"] == "k-1"
    assert json.loads(request.body) == {
        "lms_host": "https://lms.example.com",
        "time_limit_mins": 120,
        "user_id": "c4nd1d4te",
        "full_name": "Zoë Ünal",
        "email": "zoe@example.com",
        "is_sample_attempt": False,
        "review_policy": "",
        "status": "created",
    }


def test_launch_data_in_the_answer_to_a_registration_saves_the_second_call(
    vendor: Vendor, backend: RestBackend
) -> None:
    vendor.reply = json_reply(id="a-1", download_url="https://v.example.com/d", instructions=["Go"])
    launch = backend.register_attempt(ATTEMPT, key="k").launch
    assert launch == LaunchData(download_url="https://v.example.com/d", instructions=("Go",))


@pytest.mark.parametrize("word", list(OnboardingBlock))
@pytest.mark.parametrize("status", [200, 403, 409])
def test_an_onboarding_word_blocks_the_attempt_whatever_status_carries_it(
    vendor: Vendor, backend: RestBackend, word: OnboardingBlock, status: int
) -> None:
    vendor.reply = json_reply(status, status=word.value)
    registered = backend.register_attempt(ATTEMPT, key="k")
    assert registered.blocked is word
    assert registered.external_id == ""


def test_a_refusal_without_an_onboarding_word_stays_a_refusal(vendor: Vendor, backend: RestBackend) -> None:
    vendor.reply = Reply(status=409, body=b'{"status": "onboarding_on_the_moon", "detail": "no"}')
    with pytest.raises(BackendRejected, match="no"):
        backend.register_attempt(ATTEMPT, key="k")
    vendor.reply = Reply(status=403)
    with pytest.raises(BackendAuthenticationError):
        backend.register_attempt(ATTEMPT, key="k")


@pytest.mark.parametrize("value", [".", "..", "a\nb", " ", 1.5])
def test_an_id_that_would_leave_its_path_is_not_accepted(vendor: Vendor, backend: RestBackend, value: Any) -> None:
    vendor.reply = json_reply(id=value)
    with pytest.raises(BackendError) as caught:
        backend.register_exam(EXAM, key="k")
    assert caught.value.retryable


def test_what_the_attempt_does_not_say_about_the_launch_the_configuration_says(
    vendor: Vendor, backend: RestBackend
) -> None:
    def reply(request: VendorStubRequest) -> Reply:
        if request.path == "/api/v1/config/":
            return json_reply(download_url="https://v.example.com/general", instructions=["One", "", "Two", 3])
        return json_reply(status="created", download_url="https://v.example.com/mine", instructions=[])

    vendor.reply = reply
    launch = backend.fetch_launch("e-1", "a-1", language="de-at")
    assert launch == LaunchData(download_url="https://v.example.com/mine", instructions=("One", "Two"))
    assert [request.path for request in vendor.requests] == ["/api/v1/exam/e-1/attempt/a-1/", "/api/v1/config/"]
    assert {request.headers["accept-language"] for request in vendor.requests} == {"de-at"}


def test_a_complete_attempt_needs_no_configuration(vendor: Vendor, backend: RestBackend) -> None:
    vendor.reply = json_reply(download_url="https://v.example.com/mine", instructions="Only this")
    launch = backend.fetch_launch("e-1", "a-1", language="x\r\ny")
    assert launch.instructions == ("Only this",)
    assert len(vendor.requests) == 1
    assert "accept-language" not in vendor.requests[0].headers


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example.com", "https://", "http://[", "a b", 7, None]
)
def test_a_link_that_is_not_http_is_dropped(vendor: Vendor, backend: RestBackend, url: Any) -> None:
    vendor.reply = json_reply(download_url=url, join_url=url, instructions=["Go"])
    launch = backend.fetch_launch("e-1", "a-1", language="en")
    assert (launch.download_url, launch.join_url) == ("", "")


@pytest.mark.parametrize("progress", list(Progress))
def test_progress_is_told_in_the_words_of_the_wire(vendor: Vendor, backend: RestBackend, progress: Progress) -> None:
    backend.report_progress("e-1", "a-1", progress, key="k")
    assert vendor.requests[0].method == "PATCH"
    assert json.loads(vendor.requests[0].body) == {"status": progress.value}


def test_progress_and_removal_notice_an_error_inside_a_success(vendor: Vendor, backend: RestBackend) -> None:
    vendor.reply = json_reply(error="database is down")
    with pytest.raises(BackendError):
        backend.report_progress("e-1", "a-1", Progress.STARTED, key="k")
    with pytest.raises(BackendError):
        backend.remove_attempt("e-1", "a-1", key="k")
    vendor.reply = Reply(status=204, body=b"")
    backend.report_progress("e-1", "a-1", Progress.STARTED, key="k")
    backend.remove_attempt("e-1", "a-1", key="k")


def test_one_token_serves_many_calls_and_threads(vendor: Vendor, backend: RestBackend) -> None:
    vendor.reply = json_reply(id="a-1")
    threads = [threading.Thread(target=backend.register_exam, args=(EXAM,), kwargs={"key": "k"}) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(vendor.requests) == 8
    assert len(vendor.token_requests) == 1
    assert b"grant_type=client_credentials" in vendor.token_requests[0].body


def test_a_token_that_is_refused_is_renewed_once(vendor: Vendor, backend: RestBackend) -> None:
    def reply(request: VendorStubRequest) -> Reply:
        good = request.headers["authorization"] == "JWT token-2"
        return json_reply(id="a-1") if good else Reply(status=401)

    vendor.reply = reply
    assert backend.register_exam(EXAM, key="k") == "a-1"
    assert {request.headers["idempotency-key"] for request in vendor.requests} == {"k"}
    vendor.reply = Reply(status=401)
    with pytest.raises(BackendAuthenticationError):
        backend.register_exam(EXAM, key="k")
    assert len(vendor.requests) == 4


@pytest.mark.parametrize("lifetime", [0.0001, 1e-9])
def test_a_token_is_not_used_after_its_end(vendor: Vendor, backend: RestBackend, lifetime: float) -> None:
    vendor.token_reply = lambda number: json_reply(access_token=f"token-{number}", expires_in=lifetime)
    vendor.reply = json_reply(id="a-1")
    backend.register_exam(EXAM, key="k")
    backend.register_exam(EXAM, key="k")
    assert [request.headers["authorization"] for request in vendor.requests] == ["JWT token-1", "JWT token-2"]


@pytest.mark.parametrize("lifetime", [None, "soon", -1, True, 10**400, [], 0])
def test_a_strange_lifetime_of_a_token_does_no_harm(vendor: Vendor, backend: RestBackend, lifetime: Any) -> None:
    vendor.token_reply = lambda number: json_reply(access_token="token", expires_in=lifetime)
    vendor.reply = json_reply(id="a-1")
    backend.register_exam(EXAM, key="k")
    backend.register_exam(EXAM, key="k")
    assert len(vendor.token_requests) == 1


@pytest.mark.parametrize("status", [400, 401])
def test_refused_credentials_are_an_authentication_error(vendor: Vendor, backend: RestBackend, status: int) -> None:
    vendor.token_reply = lambda number: json_reply(status, error=f"invalid_client {CLIENT_SECRET}")
    with pytest.raises(BackendAuthenticationError) as caught:
        backend.register_exam(EXAM, key="k")
    assert CLIENT_SECRET not in str(caught.value)


@pytest.mark.parametrize("token", [None, "", "a b", "a\r\nX: y", 7, "x" * 9000])
def test_a_token_that_is_none_is_retryable(vendor: Vendor, backend: RestBackend, token: Any) -> None:
    vendor.token_reply = lambda number: json_reply(access_token=token)
    with pytest.raises(BackendError) as caught:
        backend.register_exam(EXAM, key="k")
    assert caught.value.retryable
    assert vendor.requests == []


def test_a_busy_token_server_is_retryable_when_it_says(vendor: Vendor, backend: RestBackend) -> None:
    vendor.token_reply = lambda number: Reply(status=429, headers={"Retry-After": "9"})
    with pytest.raises(BackendError) as caught:
        backend.register_exam(EXAM, key="k")
    assert (caught.value.retryable, caught.value.retry_after) == (True, 9.0)


def test_a_dashboard_link_is_signed_and_short_lived() -> None:
    url = backend_with().dashboard_url(
        course_id="course-v1:A+B+C", user_label="Ada", exam_external_id="e-1", attempt_external_id="a-1"
    )
    parts = urlsplit(url)
    claims = jwt.decode(parse_qs(parts.query)["jwt"][0], CLIENT_SECRET, algorithms=["HS256"])
    assert (parts.netloc, parts.path) == ("vendor.example.com", "/api/v1/instructor/lms/")
    assert claims["iss"] == "https://vendor.example.com/oauth2/access_token"
    assert (claims["course_id"], claims["exam_id"], claims["attempt_id"]) == ("course-v1:A+B+C", "e-1", "a-1")
    assert claims["user"]["full_name"] == "Ada"
    assert claims["jti"]
    assert "config" not in claims


def test_a_link_to_the_configuration_says_so_and_no_two_links_are_the_same() -> None:
    backend = backend_with(issuer="https://lms.example.com", dashboard_path="/staff/")
    links = [backend.dashboard_url(course_id="c", user_label="Ada", configuration=True) for _ in range(2)]
    claims = [jwt.decode(link.partition("?jwt=")[2], CLIENT_SECRET, algorithms=["HS256"]) for link in links]
    assert all(item["config"] is True and item["iss"] == "https://lms.example.com" for item in claims)
    assert claims[0]["jti"] != claims[1]["jti"]
    assert links[0].startswith("https://vendor.example.com/staff/?jwt=")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"base_url": "vendor.example.com"}, "base_url"),
        ({"base_url": "ftp://vendor.example.com"}, "base_url"),
        ({"base_url": "http://["}, "base_url"),
        ({"base_url": None}, "base_url"),
        ({"base_url": "http://vendor.example.com"}, "https"),
        ({"base_url": "https://me:pass@vendor.example.com"}, "credentials"),
        ({"client_id": ""}, "client_id"),
        ({"client_secret": " "}, "client_secret"),
        ({"client_secret": None}, "client_secret"),
        ({"webhook_secrets": ()}, "webhook_secrets"),
        ({"webhook_secrets": "hunter2"}, "whsec_"),
        ({"webhook_secrets": [STANDARD_SECRET, "whsec_***"]}, "number 2"),
        ({"webhook_secrets": [7]}, "number 1"),
        ({"webhook_secrets": 7}, "number 1"),
        ({"token_scheme": "JWT token"}, "token_scheme"),
        ({"read_timeout": 0}, "read_timeout"),
        ({"total_timeout": "20"}, "total_timeout"),
        ({"max_answer_bytes": None}, "max_answer_bytes"),
    ],
)
def test_a_wrong_option_is_reported_in_a_sentence(options: dict[str, Any], word: str) -> None:
    (sentence,) = backend_with(**options).check()
    assert word in sentence
    assert sentence.endswith((".", ")."))
    assert "hunter2" not in sentence


@pytest.mark.parametrize("base_url", ["http://localhost:9100", "http://127.0.0.1:9100/", "http://[::1]:9100"])
def test_this_machine_may_be_called_without_encryption(base_url: str) -> None:
    assert list(backend_with(base_url=base_url).check()) == []


def test_another_host_may_be_called_without_encryption_when_allowed() -> None:
    assert list(backend_with(base_url="http://simulator:9100", allow_http=True).check()) == []
