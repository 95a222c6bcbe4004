"""Sessions of ``requests`` whose every wait ends at the deadline of the call, and which follow and keep nothing."""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


@dataclass(slots=True)
class Call:
    """The limits of the call that a thread is making."""

    deadline: float
    read_timeout: float
    budget: int
    """Bytes of headers, framing and body that may still arrive."""

    def expired(self) -> bool:
        return time.monotonic() >= self.deadline


limits = threading.local()
"""``limits.call`` is the call that this thread is making; connections do not know their callers otherwise."""


class _LimitedReader(io.RawIOBase):
    """Reads a socket within the limits of a call: each wait is cut to the time that is left, however slow the drip."""

    def __init__(self, sock: socket.socket, call: Call) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._call = call

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._call.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        if self._call.budget <= 0:
            raise OSError("the answer is too large")
        self._sock.settimeout(min(left, self._call.read_timeout))
        count = self._raw.readinto(buffer)
        self._call.budget -= count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _LimitedResponse(http.client.HTTPResponse):
    """Status line, headers and body all come through the limited reader."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        call: Call | None = getattr(limits, "call", None)
        if call is not None:
            self.fp.close()
            self.fp = io.BufferedReader(_LimitedReader(sock, call))


class _LimitedHTTPConnection(HTTPConnection):
    response_class = _LimitedResponse


class _LimitedHTTPSConnection(HTTPSConnection):
    response_class = _LimitedResponse


class _LimitedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _LimitedHTTPConnection


class _LimitedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _LimitedHTTPSConnection


_POOLS = {"http": _LimitedHTTPPool, "https": _LimitedHTTPSPool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        # Even when it follows none, requests reads a redirect's whole body, without a limit, to know where it leads.
        return None


def new_session() -> requests.Session:
    session = _Session()
    session.mount("http://", _Adapter(max_retries=0))
    session.mount("https://", _Adapter(max_retries=0))
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # Any auth of its own keeps requests from looking into .netrc, while proxies still come from the environment.
    session.auth = _as_it_is
    session.stream = True
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
