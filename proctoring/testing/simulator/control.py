"""The control interface: what a test or a person tells the vendor to do. It asks nobody who they are."""

from __future__ import annotations

from proctoring.testing.simulator.faults import Fault
from proctoring.testing.simulator.live import Record
from proctoring.testing.simulator.live_control import LiveControl
from proctoring.testing.simulator.messages import RefusedError, Reply, Request, Routes, only
from proctoring.testing.simulator.settings import VERDICTS
from proctoring.testing.simulator.vendor import PROFILE_STATUSES, Vendor

_REVIEW_FIELDS = ("status", "comments", "reviewed_by", "video_url", "timestamp")
_RATING_FIELDS = ("rating", "scale", "rated_at", "timestamp")


class Control:
    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._routes = Routes()
        for method, path, function in (
            ("GET", "/_control/health", self._health),
            ("GET", "/_control/book", self._book),
            ("POST", "/_control/reset", self._reset),
            ("GET", "/_control/settings", self._show_settings),
            ("PUT", "/_control/settings", self._change_settings),
            ("GET", "/_control/faults", self._show_faults),
            ("PUT", "/_control/faults", self._replace_faults),
            ("POST", "/_control/faults", self._add_fault),
            ("PUT", "/_control/attempts/{}", self._change_attempt),
            ("POST", "/_control/attempts/{}/ready", self._ready),
            ("POST", "/_control/attempts/{}/review", self._review),
            ("POST", "/_control/attempts/{}/rating", self._rating),
            ("PUT", "/_control/profiles/{}", self._change_profile),
            ("POST", "/_control/messages", self._send_message),
        ):
            self._routes.add(method, path, function)
        LiveControl(vendor).add_to(self._routes)

    def serve(self, request: Request) -> Reply:
        try:
            reply = self._routes.serve(request)
        except ValueError as error:
            raise RefusedError(400, str(error)) from None
        if request.method != "GET":
            self._vendor.save()
        return reply

    def _health(self, request: Request) -> Reply:
        return Reply(body={"status": "ok"})

    def _book(self, request: Request) -> Reply:
        return Reply(body=self._vendor.book())

    def _reset(self, request: Request) -> Reply:
        self._vendor.faults.replace(())
        self._vendor.forget()
        return Reply(body={"status": "ok"})

    def _show_settings(self, request: Request) -> Reply:
        return Reply(body=self._vendor.settings.as_json())

    def _change_settings(self, request: Request) -> Reply:
        with self._vendor.lock:
            self._vendor.settings = self._vendor.settings.changed(request.json_object())
        return self._show_settings(request)

    def _show_faults(self, request: Request) -> Reply:
        return Reply(body={"faults": self._vendor.faults.as_json()})

    def _replace_faults(self, request: Request) -> Reply:
        rules = request.json_object().get("faults")
        if not isinstance(rules, list):
            raise RefusedError(400, "faults is a list of rules.")
        self._vendor.faults.replace([Fault.from_json(rule) for rule in rules])
        return self._show_faults(request)

    def _add_fault(self, request: Request) -> Reply:
        self._vendor.faults.add(Fault.from_json(request.json_object()))
        return self._show_faults(request)

    def _change_attempt(self, request: Request, attempt_id: str) -> Reply:
        verdict = request.json_object().get("verdict")
        if verdict not in VERDICTS:
            raise RefusedError(400, f"verdict is one of {', '.join(VERDICTS)}")
        with self._vendor.lock:
            attempt = self._attempt(attempt_id)
            attempt["verdict"] = verdict
            return Reply(body=attempt)

    def _ready(self, request: Request, attempt_id: str) -> Reply:
        said = request.json_object()
        return Reply(body={"message": self._vendor.send_ready(self._attempt(attempt_id), **only(said, "timestamp"))})

    def _review(self, request: Request, attempt_id: str) -> Reply:
        said = only(request.json_object(), *_REVIEW_FIELDS)
        return Reply(body={"message": self._vendor.send_review(self._attempt(attempt_id), **said)})

    def _rating(self, request: Request, attempt_id: str) -> Reply:
        said = only(request.json_object(), *_RATING_FIELDS)
        return Reply(body={"message": self._vendor.send_rating(self._attempt(attempt_id), **said)})

    def _change_profile(self, request: Request, candidate: str) -> Reply:
        status = request.json_object().get("status")
        if status not in (*PROFILE_STATUSES, "no_profile"):
            raise RefusedError(400, f"status is one of {', '.join(PROFILE_STATUSES)}, no_profile")
        with self._vendor.lock:
            self._vendor.profiles.pop(candidate, None)
            if status != "no_profile":
                self._vendor.profiles[candidate] = status
        return Reply(body={"user_id": candidate, "status": status})

    def _send_message(self, request: Request) -> Reply:
        """Any message at all: ``type`` and ``data``, or a ``body`` that is sent as it is."""
        said = request.json_object()
        body, kind = said.get("body"), str(said.get("type", "unknown"))
        if body is not None and not isinstance(body, str):
            raise RefusedError(400, "body is text.")
        timestamp = str(said.get("timestamp", ""))
        message = self._vendor.messenger.announce(kind, said.get("data", {}), timestamp=timestamp, raw_body=body)
        return Reply(body={"message": message})

    def _attempt(self, attempt_id: str) -> Record:
        attempt = self._vendor.attempts.get(attempt_id)
        if attempt is None:
            raise RefusedError(404, "There is no such attempt.")
        return attempt
