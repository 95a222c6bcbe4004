"""The client: requests, answers and one mapping of statuses to errors."""

from __future__ import annotations

import http.client
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn, Protocol

import requests
import urllib3

from proctoring.backends.http.parsing import parse_json, parse_retry_after
from proctoring.backends.http.taming import tame_id
from proctoring.backends.http.transport import Call, limits, new_session
from proctoring.errors import BackendAuthenticationError, BackendError, BackendRejected

logger = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 1024 * 1024
_MAX_VENDOR_TEXT = 200
_MIN_SECRET_LENGTH = 4  # shorter strings would blacken ordinary words
_RETRYABLE_STATUSES = frozenset({408, 425, 429})
_VENDOR_TEXT_FIELDS = ("detail", "error_description", "error", "message", "reason", "code")


class TokenSource(Protocol):
    """Where the client gets an access token, and tells that the vendor no longer takes it. Shared by threads."""

    scheme: str
    """First word of the ``Authorization`` header."""

    def current(self) -> str:
        """Return a token, from the vendor if need be. Raises as a ``Backend`` method does."""
        ...

    def discard(self, token: str) -> None:
        """Forget ``token`` if it is still the current one."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer that arrived whole. ``headers`` has lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises ``BackendError`` (retryable) when it is not JSON."""
        try:
            return parse_json(self.body)
        except ValueError:
            raise BackendError(f"The vendor's answer ({self.status}) is not JSON.") from None

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ``BackendError`` (retryable) when it is anything else."""
        value = self.json()
        if not isinstance(value, dict):
            raise BackendError(f"The vendor's answer ({self.status}) is not a JSON object.")
        return value

    def id(self, name: str = "id") -> str:
        """The vendor's id in a JSON object. Raises ``BackendError`` (retryable) when there is none to be stored."""
        try:
            return tame_id(self.json_object().get(name))
        except ValueError:
            raise BackendError(f"The vendor's answer ({self.status}) contains no id.") from None


class HttpClient:
    """Calls one vendor. Shared by all threads: each thread (of each process) has its own session and connections.

    ``connect_timeout``, ``read_timeout`` (between two pieces of an answer) and ``total_timeout`` (the whole call
    without name resolution) are seconds. ``headers`` go with each call. Values of ``headers``, ``secrets`` and tokens
    never appear in an error, whatever the vendor echoes. Proxies and certificate bundles come from the environment,
    credentials from ``.netrc`` do not; cookies are not kept.
    """

    def __init__(
        self,
        *,
        base_url: str,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        total_timeout: float = 20.0,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
        tokens: TokenSource | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._total_timeout = total_timeout
        self._max_answer_bytes = max_answer_bytes
        self._headers = dict(headers or {})
        self._secrets = _words_to_hide([*secrets, *self._headers.values()])
        self._tokens = tokens
        self._recent_tokens: deque[str] = deque(maxlen=8)
        self._local = threading.local()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url}>"

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        key: str = "",
        accept: Collection[int] = (),
    ) -> Answer:
        """Send one request and return a 2xx answer, or one whose status is in ``accept``.

        ``key`` goes out as ``Idempotency-Key``. Where there is a token source, a 401 leads to one more request with a
        fresh token. Raises ``BackendAuthenticationError`` (401, 403), ``BackendRejected`` (other 4xx) or
        ``BackendError``: retryable for 408, 425, 429, 5xx, time-outs, broken connections and answers that are too
        large, not retryable for a redirect or an address that is no address.
        """
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **self._headers, **(headers or {})}
        if key:
            sent["Idempotency-Key"] = key
        request = requests.Request(method, self.base_url + path, json=json, data=form, params=params, headers=sent)
        answer = self._exchange(request) if self._tokens is None else self._exchange_with_token(request, self._tokens)
        if not 200 <= answer.status < 300 and answer.status not in accept:
            self.refuse(answer)
        return answer

    def refuse(self, answer: Answer) -> NoReturn:
        """Raise what an answer that is no success means; for statuses that the caller asked to ``accept``."""
        status = answer.status
        if 300 <= status < 400:
            raise BackendError(
                f"The vendor answered with a redirect ({status}), and none is followed.", retryable=False
            )
        if status in (401, 403):
            raise BackendAuthenticationError(f"The vendor refused our credentials ({status}).")
        if status >= 500 or status in _RETRYABLE_STATUSES:
            retry_after = parse_retry_after(answer.headers.get("retry-after", ""), now=datetime.now(UTC))
            raise BackendError(f"The vendor answered {status}.", retryable=True, retry_after=retry_after)
        if 400 <= status < 500:
            raise BackendRejected(self._vendor_text(answer) or f"http_{status}")
        raise BackendError(f"The vendor answered {status}, which means nothing here.")

    def _exchange_with_token(self, request: requests.Request, tokens: TokenSource) -> Answer:
        answer = self._exchange_with_current_token(request, tokens)
        if answer.status == 401:
            answer = self._exchange_with_current_token(request, tokens)
        return answer

    def _exchange_with_current_token(self, request: requests.Request, tokens: TokenSource) -> Answer:
        token = tokens.current()
        if token not in self._recent_tokens:
            self._recent_tokens.append(token)
        request.headers["Authorization"] = f"{tokens.scheme} {token}"
        answer = self._exchange(request)
        if answer.status == 401:
            tokens.discard(token)
        return answer

    def _exchange(self, request: requests.Request) -> Answer:
        """One request on the wire, with every way in which that fails made a ``BackendError``."""
        began = time.monotonic()
        outcome = "failed"
        call = Call(
            deadline=began + self._total_timeout,
            read_timeout=self._read_timeout,
            budget=2 * self._max_answer_bytes + MAX_ANSWER_BYTES,
        )
        limits.call = call
        try:
            answer = self._send(request, call)
            outcome = str(answer.status)
            return answer
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema):
            raise BackendError("The vendor's address is not an http(s) address.", retryable=False) from None
        except (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError):
            raise BackendError("The vendor did not answer in time.") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            # A deadline noticed inside urllib3 comes out in its words; the texts of these errors may hold addresses.
            if call.expired():
                raise BackendError("The vendor did not answer in time.") from None
            raise BackendError(f"The connection to the vendor failed ({type(error).__name__}).") from None
        finally:
            limits.call = None
            # The query is left out: it may name a person.
            path = request.url.removeprefix(self.base_url)
            logger.info("%s %s: %s in %.3f s", request.method, path, outcome, time.monotonic() - began)

    def _send(self, request: requests.Request, call: Call) -> Answer:
        session = self._session()
        prepared = session.prepare_request(request)
        settings = session.merge_environment_settings(prepared.url, {}, True, None, None)
        timeout = (min(self._connect_timeout, self._total_timeout), min(self._read_timeout, self._total_timeout))
        response = session.send(prepared, timeout=timeout, allow_redirects=False, **settings)
        try:
            body = b"" if 300 <= response.status_code < 400 else self._read_body(response, call)
        finally:
            # An answer that was read to its end has given its connection back already.
            response.close()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(status=response.status_code, headers=headers, body=body)

    def _read_body(self, response: requests.Response, call: Call) -> bytes:
        if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            raise BackendError("The vendor's answer is compressed, which was not asked for.")
        body = bytearray()
        for piece in response.raw.stream(64 * 1024, decode_content=False):
            body += piece
            if len(body) > self._max_answer_bytes:
                raise BackendError(f"The vendor's answer is larger than {self._max_answer_bytes} bytes.")
            if call.expired():
                raise TimeoutError
        return bytes(body)

    def _session(self) -> requests.Session:
        # A forked worker must not speak on the connections of its parent.
        if getattr(self._local, "pid", None) != os.getpid():
            self._local.session = new_session()
            self._local.pid = os.getpid()
        session: requests.Session = self._local.session
        return session

    def _vendor_text(self, answer: Answer) -> str:
        """The vendor's own short reason; empty where the answer is a page or has none."""
        text = ""
        try:
            value = parse_json(answer.body)
        except ValueError:
            if answer.headers.get("content-type", "").startswith("text/plain"):
                text = answer.body.decode("utf-8", "replace")
        else:
            if isinstance(value, dict):
                texts = (value.get(name) for name in _VENDOR_TEXT_FIELDS)
                text = next((found for found in texts if isinstance(found, str) and found), "")
        for secret in sorted({*self._secrets, *self._recent_tokens}, key=len, reverse=True):
            text = text.replace(secret, "***")
        return "".join(c if c.isprintable() else " " for c in text)[:_MAX_VENDOR_TEXT].strip()


def _words_to_hide(values: Iterable[str]) -> frozenset[str]:
    """Secrets, and what follows the scheme in values such as ``Bearer abc``."""
    words = {word for value in values for word in (value, value.rpartition(" ")[2])}
    return frozenset(word for word in words if len(word) >= _MIN_SECRET_LENGTH)
