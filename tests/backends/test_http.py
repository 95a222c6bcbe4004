"""The HTTP client for plugins, where the contract does not reach."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proctoring.backends.http import HttpClient, parse_json, parse_retry_after
from proctoring.errors import BackendError, BackendRejected
from proctoring.testing import Reply, VendorStub

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def vendor() -> Iterator[VendorStub]:
    with VendorStub() as stub:
        yield stub


def client_of(vendor: VendorStub, **options: object) -> HttpClient:
    return HttpClient(base_url=vendor.url, total_timeout=5, **options)  # type: ignore[arg-type] # any option of the client


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("99999999", 3600.0),
        ("Tue, 01 Jan 2030 12:01:00 GMT", 60.0),
        ("Tue, 01 Jan 2030 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("-1", None),
        ("", None),
        ("soon", None),
        ("1e3", None),
        ("٣", None),
        ("9" * 400, None),
        ("Tue, 99 Jan 2030 12:01:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date_and_bounded(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize("body", [b"NaN", b"[1e999]", b"-Infinity", b"[" * 100_000, b"9" * 5000, b"\xff", b""])
def test_what_is_not_json_by_the_standard_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(body)


def test_a_compressed_answer_is_not_unpacked(vendor: VendorStub) -> None:
    vendor.reply = Reply(body=gzip.compress(b" " * 1_000_000), headers={"Content-Encoding": "gzip"})
    with pytest.raises(BackendError, match="compressed") as caught:
        client_of(vendor).request("GET", "/")
    assert caught.value.retryable
    assert vendor.requests[0].headers["accept-encoding"] == "identity"


def test_the_vendors_reason_is_short_and_printable(vendor: VendorStub) -> None:
    vendor.reply = Reply(status=422, body=b'{"detail": "no\\u0000 capacity\\n' + b"x" * 1000 + b'"}')
    with pytest.raises(BackendRejected) as caught:
        client_of(vendor).request("GET", "/")
    assert caught.value.reason.startswith("no  capacity x")
    assert len(caught.value.reason) <= 200


def test_a_page_is_no_reason(vendor: VendorStub) -> None:
    vendor.reply = Reply(status=418, body=b"<h1>teapot</h1>")
    with pytest.raises(BackendRejected) as caught:
        client_of(vendor).request("GET", "/")
    assert caught.value.reason == "http_418"


def test_header_values_and_secrets_are_blacked_out_of_a_reason(vendor: VendorStub) -> None:
    vendor.reply = Reply(status=400, body=b'{"error": "bad key abcdefgh or token tok-12345"}')
    client = client_of(vendor, headers={"Authorization": "Bearer abcdefgh"}, secrets=["tok-12345"])
    with pytest.raises(BackendRejected) as caught:
        client.request("GET", "/")
    assert caught.value.reason == "bad key *** or token ***"
    assert "abcdefgh" not in repr(client)


def test_netrc_gives_no_credentials_and_cookies_are_not_kept(
    vendor: VendorStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", os.fspath(netrc))
    vendor.reply = Reply(headers={"Set-Cookie": "session=1; Path=/"})
    client = client_of(vendor)
    client.request("GET", "/")
    client.request("GET", "/")
    assert all("authorization" not in request.headers for request in vendor.requests)
    assert all("cookie" not in request.headers for request in vendor.requests)


def test_a_proxy_of_the_environment_is_used(vendor: VendorStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", vendor.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    HttpClient(base_url="http://vendor.invalid", total_timeout=5).request("GET", "/exam/")
    assert vendor.requests[0].path == "http://vendor.invalid/exam/"


def test_each_thread_has_a_session_of_its_own(vendor: VendorStub) -> None:
    client = client_of(vendor)
    sessions = []
    threads = [threading.Thread(target=lambda: sessions.append(client._session())) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    assert len({id(session) for session in sessions}) == 3
    assert client._session() is client._session()


@pytest.mark.parametrize("base_url", ["", "nonsense", "ftp://vendor.example.com", "http://", "http://exa mple", "//x"])
def test_an_address_that_is_none_is_not_tried_again(base_url: str) -> None:
    with pytest.raises(BackendError) as caught:
        HttpClient(base_url=base_url, total_timeout=1).request("GET", "/")
    assert not caught.value.retryable


def test_an_error_tells_neither_address_nor_query(vendor: VendorStub) -> None:
    client = HttpClient(base_url="http://user:hidden-word@127.0.0.1:9", total_timeout=1)
    with pytest.raises(BackendError) as caught:
        client.request("GET", "/", params={"q": "hidden-query"})
    assert "hidden" not in str(caught.value)


def test_the_log_says_how_long_a_call_took_and_not_what_was_asked(
    vendor: VendorStub, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="proctoring"):
        client_of(vendor, secrets=["hidden"]).request("GET", "/user/", params={"email": "hidden@example.com"})
    assert "GET /user/: 200 in" in caplog.text
    assert "hidden" not in caplog.text
