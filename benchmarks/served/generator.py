"""A generator of load: reads a job as JSON, sends its requests by a few threads over plain sockets, prints what came.

Plain sockets, because every microsecond that it spends is taken from the server beside it.
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import threading
import time
from typing import Any


def main(job: dict[str, Any]) -> dict[str, Any]:
    payloads = [_payload(ask) for ask in job["asks"]]
    ends_at = time.monotonic() + job["seconds"]
    counts, failures, lock = [0], [], threading.Lock()

    def send(first: int) -> None:
        done = 0
        for payload in itertools.cycle(payloads[first:] + payloads[:first]):
            if time.monotonic() >= ends_at:
                break
            answer = _exchange(job["port"], payload)
            if b" 200 " in answer[:16]:
                done += 1
            else:
                failures.append(answer[:600].decode(errors="replace"))
        with lock:
            counts[0] += done

    step = max(1, len(payloads) // job["threads"])
    threads = [threading.Thread(target=send, args=(number * step % len(payloads),)) for number in range(job["threads"])]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "requests": counts[0],
        "seconds": time.monotonic() - began,
        "failed": len(failures),
        "example": failures[:1],
    }


def _payload(ask: dict[str, Any]) -> bytes:
    body = ask["body"].encode()
    headers = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [
        f"POST {ask['path']} HTTP/1.1",
        *(f"{name}: {value}" for name, value in (headers | ask["headers"]).items()),
    ]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def _exchange(port: int, payload: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(payload)
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


if __name__ == "__main__":
    print(json.dumps(main(json.load(sys.stdin))))
