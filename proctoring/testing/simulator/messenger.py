"""Sends signed messages until the receiver takes them, badly where a fault says so."""

from __future__ import annotations

import functools
import json
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from proctoring.backends import signing
from proctoring.testing.simulator.agenda import Agenda
from proctoring.testing.simulator.faults import Fault, Faults
from proctoring.testing.simulator.settings import Settings

FIRST_WAIT, LONGEST_WAIT, GIVE_UP_AFTER = 0.5, 16.0, 120.0
TIMEOUTS = (2.0, 10.0)
ANSWER_BYTES = 4096
STRANGERS_SECRET = "whsec_" + "c29tZWJvZHktZWxzZXMtc2VjcmV0LXNvbWVib2R5"


@dataclass(kw_only=True, slots=True)
class Delivery:
    """One message. ``state`` is pending, delivered, given_up or unsent (there is no receiver)."""

    id: str
    type: str
    body: str
    state: str = "pending"
    tries: list[dict[str, Any]] = field(default_factory=list)
    """Each with ``at`` and the receiver's ``status``, or an ``error``."""
    copies: int = 0
    first_try_at: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Messenger:
    def __init__(self, *, settings: Callable[[], Settings], faults: Faults, agenda: Agenda) -> None:
        self.deliveries: list[Delivery] = []
        self._settings = settings
        self._faults = faults
        self._agenda = agenda
        self._lock = threading.RLock()
        self._held: list[Delivery] = []
        self._local = threading.local()

    def announce(self, kind: str, data: dict[str, Any], *, timestamp: str = "", raw_body: str | None = None) -> str:
        """Queue a message and return its id. ``timestamp`` is when it happened, by default now."""
        skew = self._faults.take(["body_skew"], message_type=kind)
        moment = datetime.now(UTC) + timedelta(seconds=skew.seconds if skew else 0)
        message = {"type": kind, "timestamp": timestamp or moment.isoformat(), "data": data}
        body = json.dumps(message) if raw_body is None else raw_body
        delivery = Delivery(id=f"msg_{uuid.uuid4().hex}", type=kind, body=body)
        duplicate = self._faults.take(["duplicate"], message_type=kind)
        delivery.copies = duplicate.copies if duplicate else 0
        with self._lock:
            self.deliveries.append(delivery)
            reorder = self._faults.take(["reorder"], message_type=kind)
            if reorder:
                # Held until another message has gone out, and not for ever.
                self._held.append(delivery)
                self._agenda.after(reorder.seconds, functools.partial(self._release, delivery))
                return delivery.id
        late = self._faults.take(["late"], message_type=kind)
        self._agenda.after(late.seconds if late else 0.0, functools.partial(self._try, delivery))
        return delivery.id

    def resume(self, deliveries: list[Delivery]) -> None:
        """Go on with the deliveries of an earlier life."""
        with self._lock:
            self.deliveries = deliveries
        for delivery in deliveries:
            if delivery.state == "pending":
                self._agenda.after(0.0, functools.partial(self._try, delivery))

    def prune(self, kind: str, *, keep: int) -> None:
        """Forget all but the newest of the messages of this kind that were delivered."""
        with self._lock:
            done = [one for one in self.deliveries if one.type == kind and one.state != "pending" and not one.copies]
            gone = {one.id for one in done[:-keep]}
            self.deliveries = [one for one in self.deliveries if one.id not in gone]

    def forget(self) -> None:
        with self._lock:
            self.deliveries = []
            self._held = []

    def _release(self, delivery: Delivery) -> None:
        with self._lock:
            if delivery not in self._held:
                return
            self._held.remove(delivery)
        self._try(delivery)

    def _try(self, delivery: Delivery) -> None:
        settings = self._settings()
        if not settings.webhook_url:
            delivery.state = "unsent"
            return
        delivery.first_try_at = delivery.first_try_at or time.time()
        outcome = self._send(delivery, settings)
        with self._lock:
            delivery.tries.append({"at": datetime.now(UTC).isoformat(), **outcome})
        if 200 <= outcome.get("status", 0) < 300:
            delivery.state = "delivered"
            if delivery.copies > 0:
                delivery.copies -= 1
                self._agenda.after(0.0, functools.partial(self._try, delivery))
            for held in list(self._held):
                self._release(held)
        elif time.time() - delivery.first_try_at > GIVE_UP_AFTER:
            delivery.state = "given_up"
        else:
            wait = min(FIRST_WAIT * 2 ** (len(delivery.tries) - 1), LONGEST_WAIT)
            self._agenda.after(wait, functools.partial(self._try, delivery))

    def _send(self, delivery: Delivery, settings: Settings) -> dict[str, Any]:
        """POST the message once; return the receiver's status or what went wrong."""
        body = delivery.body.encode()
        skew = self._strikes("header_skew", delivery)
        secret = STRANGERS_SECRET if self._strikes("wrong_signature", delivery) else settings.webhook_secret
        sent_at = datetime.now(UTC) + timedelta(seconds=skew.seconds if skew else 0)
        headers = signing.sign(body, secret=secret, delivery_id=delivery.id, at=sent_at)
        if self._strikes("altered_body", delivery):
            body += b" "
        try:
            answer = self._session().post(
                settings.webhook_url,
                data=body,
                headers={**headers, "Content-Type": "application/json"},
                timeout=TIMEOUTS,
                allow_redirects=False,
                stream=True,
            )
        except requests.RequestException as error:
            return {"error": type(error).__name__}
        _read_shortly(answer)
        return {"status": answer.status_code}

    def _strikes(self, kind: str, delivery: Delivery) -> Fault | None:
        return self._faults.take([kind], message_type=delivery.type)

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            session = requests.Session()
            session.trust_env = False
            self._local.session = session
        found: requests.Session = self._local.session
        return found


def _read_shortly(answer: requests.Response) -> None:
    """An answer that was read leaves the connection to the next message; what it says is of no interest."""
    with answer, suppress(requests.RequestException):
        next(answer.iter_content(ANSWER_BYTES), None)
