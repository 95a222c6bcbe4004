"""The HTTP server of the simulator: reads, lets the faults strike, serves, writes everything into the book."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from proctoring.testing.simulator.control import Control
from proctoring.testing.simulator.faults import Fault
from proctoring.testing.simulator.messages import RefusedError, Reply, Request
from proctoring.testing.simulator.pages import Pages
from proctoring.testing.simulator.vendor import Vendor
from proctoring.testing.simulator.wire import Wire

MAX_BODY = 16 * 1024 * 1024  # two hundred bookings of five hundred candidates
PAGES = ("/software/", "/live/", "/desk/", "/api/v1/instructor/")
BEFORE = (
    "status", "hang", "broken_json", "error_inside", "redirect", "huge_body", "expired_token", "wrong_credentials",
)  # fmt: skip
AFTER = ("lost_answer", "slow_body")


class SimulatorServer(ThreadingHTTPServer):
    """``verbose`` prints each request."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, host: str, port: int, vendor: Vendor, *, verbose: bool = False) -> None:
        super().__init__((host, port), _Handler)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self.server_address[1]}"
        self.vendor = vendor
        vendor.live.address = self.address
        self.verbose = verbose
        self.stopping = threading.Event()
        self.wire = Wire(vendor, address=self.address)
        self.pages = Pages(vendor)
        self.control = Control(vendor)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if self.verbose:
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: SimulatorServer
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds for which an idle connection is kept
    disable_nagle_algorithm = True  # headers and body are written one after the other

    def _handle(self) -> None:
        request = self._read()
        if request is None:
            return
        path = request.path
        if path.startswith("/_control/"):
            self._write(self._reply_of(self.server.control.serve, request))
        elif path.startswith(PAGES):
            self._write(self._reply_of(self.server.pages.serve, request))
        else:
            self._speak_wire(request)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - the names are the base class's

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        if self.server.verbose:
            super().log_message(format, *args)

    def _read(self) -> Request | None:
        length = self.headers.get("Content-Length") or "0"
        if not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._write(Reply(status=411, body={"detail": "Content-Length is needed."}))
            return None
        if int(length) > MAX_BODY:
            self.close_connection = True
            self._write(Reply(status=413, body={"detail": f"At most {MAX_BODY} bytes."}))
            return None
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(method=self.command, target=self.path, headers=headers, body=self.rfile.read(int(length)))

    def _reply_of(self, serve: Callable[[Request], Reply], request: Request) -> Reply:
        try:
            return serve(request)
        except RefusedError as refused:
            return Reply(status=refused.status, body={"detail": refused.detail})

    def _speak_wire(self, request: Request) -> None:
        call = self._note(request)
        latency = self._strikes(request, ("latency",))
        if latency:
            self.server.stopping.wait(latency.seconds)
        fault = self._strikes(request, BEFORE)
        if fault:
            call["fault"] = fault.kind
            self._misbehave(request, fault, call)
            return
        reply = self._reply_of(self.server.wire.serve, request)
        call["status"] = reply.status
        call["replayed"] = "Idempotent-Replayed" in reply.headers
        fault = self._strikes(request, AFTER)
        if fault is None:
            self._write(reply)
            return
        call["fault"] = fault.kind
        self.close_connection = True
        if fault.kind == "slow_body":
            self._write(reply, pause=fault.seconds)

    def _misbehave(self, request: Request, fault: Fault, call: dict[str, Any]) -> None:
        headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        replies = {
            "status": Reply(status=fault.status, body={"detail": "So the fault wants it."}, headers=headers),
            "broken_json": Reply(body='{"id": "', content_type="application/json; charset=utf-8"),
            "error_inside": Reply(body={"error": "internal error"}),
            "redirect": Reply(status=302, headers={"Location": fault.location}),
            "expired_token": Reply(status=401, body={"detail": "The token is expired."}),
            "wrong_credentials": Reply(status=401, body={"error": "invalid_client"}),
        }
        if fault.kind == "expired_token":
            self.server.wire.expire_tokens()
        if fault.kind in replies:
            call["status"] = replies[fault.kind].status
            self._write(replies[fault.kind])
            return
        self.close_connection = True
        if fault.kind == "hang":
            self.server.stopping.wait(fault.seconds)
        else:
            self._write_huge(fault.size)

    def _strikes(self, request: Request, kinds: tuple[str, ...]) -> Fault | None:
        return self.server.vendor.faults.take(kinds, path=request.path, method=request.method)

    def _note(self, request: Request) -> dict[str, Any]:
        """Write the request into the book, without credentials."""
        call: dict[str, Any] = {
            "at": datetime.now(UTC).isoformat(),
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "key": request.headers.get("idempotency-key", ""),
            "status": None,
        }
        if request.path.startswith("/api/") and request.body:
            try:
                call["body"] = request.json_object()
            except RefusedError:
                call["body"] = None
        self.server.vendor.calls.append(call)
        return call

    def _write(self, reply: Reply, *, pause: float = 0.0) -> None:
        body = reply.encoded()
        self.send_response(reply.status)
        if body:
            self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if not pause:
            self.wfile.write(body)
            return
        for place in range(len(body)):
            self.server.stopping.wait(pause)
            self.wfile.write(body[place : place + 1])

    def _write_huge(self, size: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        for start in range(0, size, 65536):
            self.wfile.write(b" " * min(65536, size - start))
