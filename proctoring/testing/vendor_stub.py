"""A vendor's server that behaves as badly as a test wants. It knows no wire: every request gets the same reply."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

PATIENCE = 20.0
"""Seconds after which even a stuck reply is completed, well: a client without a time-out then sees a success."""

DRIP = 0.05
"""Seconds between two bytes of a dripping reply."""

HUGE = 64 * 1024 * 1024


class Manner(Enum):
    """How a reply is delivered."""

    WHOLE = "whole"
    NEVER = "never"
    """Nothing is sent until the client gives up."""
    DRIPPING_HEADERS = "dripping headers"
    DRIPPING_BODY = "dripping body"
    HUGE = "huge"
    """The body follows 64 MiB of white space."""
    CUT = "cut"
    """The connection ends without an answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorStubRequest:
    """A request that arrived. ``headers`` has lower-case names; ``path`` includes the query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What the server answers."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = Manner.WHOLE


class VendorStub:
    """A server on a free port of this machine, as a context manager.

    ``reply`` is the answer to every request for which ``prepare`` returns None; ``requests`` lists those requests, and
    not the ones that ``prepare`` answered. ``bytes_sent`` counts bodies.
    """

    def __init__(self, prepare: Callable[[VendorStubRequest], Reply | None] | None = None) -> None:
        self.reply: Reply | Callable[[VendorStubRequest], Reply] = Reply()
        self.requests: list[VendorStubRequest] = []
        self.bytes_sent = 0
        self.released = threading.Event()
        self._prepare = prepare or (lambda request: None)
        self._server = _Server(("127.0.0.1", 0), self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: VendorStubRequest) -> Reply:
        prepared = self._prepare(request)
        if prepared is not None:
            return prepared
        self.requests.append(request)
        return self.reply(request) if callable(self.reply) else self.reply


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], stub: VendorStub) -> None:
        self.stub = stub
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up on purpose here."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        self.close_connection = True
        if not self.raw_requestline or not self.parse_request():
            return
        length = int(self.headers.get("Content-Length") or 0)
        request = VendorStubRequest(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        self._deliver(self.server.stub.answer(request))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Tests read ``VendorStub.requests`` instead."""

    def _deliver(self, reply: Reply) -> None:
        released = self.server.stub.released
        if reply.manner is Manner.CUT:
            return
        if reply.manner is Manner.NEVER:
            released.wait(PATIENCE)
        self._write(f"HTTP/1.1 {reply.status} Reply\r\nContent-Type: application/json\r\n".encode())
        if reply.manner is Manner.DRIPPING_HEADERS:
            self._drip(b"X-Slow: ", b"x")
            self._write(b"\r\n")
        for name, value in reply.headers.items():
            self._write(f"{name}: {value}\r\n".encode("latin-1"))
        self._write(b"Connection: close\r\n\r\n")
        if reply.manner is Manner.DRIPPING_BODY:
            self._drip(b"", b" ")
        if reply.manner is Manner.HUGE:
            for _ in range(HUGE // 65536):
                self._write(b" " * 65536)
                self.server.stub.bytes_sent += 65536
        self._write(reply.body)

    def _drip(self, start: bytes, byte: bytes) -> None:
        self._write(start)
        for _ in range(int(PATIENCE / DRIP)):
            if self.server.stub.released.wait(DRIP):
                return
            self._write(byte)

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()
