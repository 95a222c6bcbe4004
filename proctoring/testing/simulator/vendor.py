"""The simulated vendor: exams, attempts, candidates and what becomes of them; ``live`` has the rest. No HTTP."""

from __future__ import annotations

import functools
import json
import threading
import uuid
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proctoring.testing.simulator.agenda import Agenda
from proctoring.testing.simulator.faults import Fault, Faults
from proctoring.testing.simulator.live import Live, Record
from proctoring.testing.simulator.messenger import Delivery, Messenger
from proctoring.testing.simulator.sessions import Session
from proctoring.testing.simulator.settings import COMMENTS, Settings

MAX_CALLS = 20_000
_BLOCKS = {"": "missing", "pending": "pending", "rejected": "failed", "expired": "expired"}
PROFILE_STATUSES = ("approved", "pending", "rejected", "expired")


class Vendor:
    """The memory and the habits. Public methods take the lock; ids are never used again, not even after a restart."""

    def __init__(
        self, settings: Settings, *, rules: list[Fault] | None = None, seed: int = 0, memory: Path | None = None
    ) -> None:
        self.settings = settings
        self.faults = Faults(rules or (), seed=seed)
        self.lock = threading.RLock()
        self.agenda = Agenda()
        self.messenger = Messenger(settings=lambda: self.settings, faults=self.faults, agenda=self.agenda)
        self.live = Live(
            settings=lambda: self.settings,
            faults=self.faults,
            agenda=self.agenda,
            messenger=self.messenger,
            lock=self.lock,
            save=self.save,
        )
        self.exams: dict[str, Record] = {}
        self.attempts: dict[str, Record] = {}
        self.profiles: dict[str, str] = {}
        """Candidate → onboarding status."""
        self.met: dict[str, list[str]] = {}
        """Course → candidates of whom an attempt was registered there, or refused for want of onboarding."""
        self.answers: dict[str, Record] = {}
        """Method, path and idempotency key → the answer given before."""
        self.calls: deque[Record] = deque(maxlen=MAX_CALLS)
        self._memory = memory

    def start(self) -> None:
        """Remember the life before, if there was one, and go on with what it left undone."""
        self.agenda.start()
        if self._memory and self._memory.exists():
            kept = json.loads(self._memory.read_text())
            self.exams, self.attempts = kept["exams"], kept["attempts"]
            self.profiles, self.answers = kept["profiles"], kept["answers"]
            self.met = kept.get("met", {})
            self.messenger.resume([Delivery(**item) for item in kept["deliveries"]])
            self.live.load(kept.get("live", {}), kept.get("owed", {}))
            for attempt in self.attempts.values():
                self._plan(attempt)

    def save(self) -> None:
        """Write everything down before an answer goes out, where there is a memory that outlives the process."""
        if self._memory is None:
            return
        with self.lock:
            deliveries = [delivery.as_json() for delivery in list(self.messenger.deliveries)]
            kept = {"exams": self.exams, "attempts": self.attempts, "profiles": self.profiles, "answers": self.answers}
            kept.update(met=self.met, live=self.live.as_json(), owed=self.live.owed)
            new = self._memory.with_suffix(".new")
            new.write_text(json.dumps({**kept, "deliveries": deliveries}))
            new.replace(self._memory)

    def forget(self) -> None:
        """Begin again as on the first day, settings and faults excepted."""
        with self.lock:
            self.agenda.clear()
            self.messenger.forget()
            for memory in (self.exams, self.attempts, self.profiles, self.met, self.answers):
                memory.clear()
            self.calls.clear()
            self.live.clear()
            self.save()

    def book(self) -> Record:
        with self.lock:
            return {
                "exams": list(self.exams.values()),
                "attempts": list(self.attempts.values()),
                "profiles": dict(self.profiles),
                **self.live.shown(),
                "calls": list(self.calls),
                "deliveries": [delivery.as_json() for delivery in list(self.messenger.deliveries)],
            }

    def keep_exam(self, fields: Record, *, exam_id: str = "") -> Record:
        with self.lock:
            exam_id = exam_id or f"exam-{uuid.uuid4().hex}"
            self.exams[exam_id] = {**fields, "id": exam_id}
            return self.exams[exam_id]

    def meet(self, exam: Record, candidate: str) -> None:
        """Somebody was named for an exam: from now on they are on the course's list."""
        with self.lock:
            people = self.met.setdefault(str(exam.get("course_id", "")), [])
            if candidate not in people:
                people.append(candidate)

    def onboarding_word(self, candidate: str, course_id: str) -> str:
        """The profile as the list of a course puts it."""
        profile = self.profiles.get(candidate, "no_profile")
        if profile != "approved":
            return profile
        courses = {
            self.exams.get(attempt["exam"], {}).get("course_id")
            for attempt in self.attempts.values()
            if attempt.get("user_id") == candidate and self._is_onboarding(attempt)
        }
        return "approved_in_course" if course_id in courses or not courses else "other_course_approved"

    def block(self, exam: Record, candidate: str) -> str:
        """The onboarding word for this candidate, empty if nothing is in the way."""
        profile = self.profiles.get(candidate, "")
        if not self.settings.require_onboarding or exam.get("is_practice_exam") or profile == "approved":
            return ""
        return f"onboarding_{_BLOCKS[profile]}"

    def create_attempt(self, exam_id: str, fields: Record) -> Record:
        with self.lock:
            attempt_id = f"attempt-{uuid.uuid4().hex}"
            attempt = {**fields, "id": attempt_id, "exam": exam_id, "status": "", "history": [], "verdict": ""}
            attempt["code"] = uuid.uuid4().hex
            self.attempts[attempt_id] = attempt
            self._become(attempt, "created")
            self._plan(attempt)
            return attempt

    def by_code(self, code: str) -> Record | None:
        with self.lock:
            return next((attempt for attempt in self.attempts.values() if attempt["code"] == code), None)

    def report(self, attempt: Record, status: str) -> None:
        """The LMS says how the attempt goes on."""
        with self.lock:
            self._become(attempt, status)
            if status == "submitted" and self._is_onboarding(attempt):
                self.profiles[attempt.get("user_id", "")] = "pending"
            if status == "submitted":
                self.live.submitted(attempt["id"], attempt["exam"], attempt.get("user_id", ""))
            self._plan(attempt)

    def drop(self, attempt: Record) -> None:
        with self.lock:
            self._become(attempt, "deleted")

    def retire(self, candidate: str) -> bool:
        """Forget a person; True if there was anything to forget."""
        with self.lock:
            mine = [attempt for attempt in self.attempts.values() if attempt.get("user_id") == candidate]
            for attempt in mine:
                self._become(attempt, "deleted")
                attempt.update(full_name="", email="")
            self.live.retire(candidate)
            for people in self.met.values():
                if candidate in people:
                    people.remove(candidate)
            return bool(mine) | bool(self.profiles.pop(candidate, ""))

    def enter_room(self, session: Session) -> None:
        """The candidate is in the room, so an attempt that waits for its check is ready."""
        with self.lock:
            self.live.enter(session)
            for attempt in self.attempts.values():
                if attempt["status"] == "created" and self._in_room(attempt) is not None:
                    self.send_ready(attempt)

    def _in_room(self, attempt: Record) -> Session | None:
        session = self.live.sessions.of(attempt["exam"], attempt.get("user_id", ""))
        return session if session and session.joined_at else None

    def send_ready(self, attempt: Record, *, timestamp: str = "") -> str:
        """The candidate's check is done. Return the message's id."""
        with self.lock:
            if attempt["status"] == "created":
                self._become(attempt, "ready")
            return self.messenger.announce("attempt.ready", {"attempt": attempt["id"]}, timestamp=timestamp)

    def send_review(self, attempt: Record, *, timestamp: str = "", **said: Any) -> str:
        """Somebody looked at the recording. ``said`` replaces fields of the message's data. Return the message's id."""
        with self.lock:
            verdict = said.get("status") or attempt["verdict"] or self.settings.verdict
            data: Record = {"attempt": attempt["id"], "status": verdict, "comments": COMMENTS.get(verdict, [])}
            usual = {"reviewed_by": self.settings.reviewed_by, "video_url": self.settings.video_url}
            data.update({name: value for name, value in usual.items() if value})
            data.update(said)
            self._become(attempt, "reviewed")
            if self._is_onboarding(attempt):
                self.profiles[attempt.get("user_id", "")] = "approved" if verdict == "passed" else "rejected"
            message = self.messenger.announce("attempt.reviewed", data, timestamp=timestamp)
            if self.settings.rating is not None:
                self.send_rating(attempt)
            return message

    def send_rating(self, attempt: Record, *, timestamp: str = "", **said: Any) -> str:
        """Somebody rated the recording. ``said`` replaces fields of the message's data. Return the message's id."""
        with self.lock:
            scale = {"rating": self.settings.rating, "scale": self.settings.rating_scale}
            data: Record = {"attempt": attempt["id"], **scale, "rated_at": timestamp or datetime.now(UTC).isoformat()}
            data.update(said)
            kept = {name: value for name, value in data.items() if value is not None}
            if "rating" in kept:
                self.live.ratings.add({**kept, "exam": attempt["exam"]})
            return self.messenger.announce("session.rated", kept, timestamp=timestamp)

    def _plan(self, attempt: Record) -> None:
        ready_after = 0.0 if self._in_room(attempt) else self.settings.auto_ready
        if attempt["status"] == "created" and ready_after is not None:
            self.agenda.after(ready_after, functools.partial(self._ready_by_itself, attempt["id"]))
        if attempt["status"] == "submitted" and self.settings.review_after is not None:
            self.agenda.after(self.settings.review_after, functools.partial(self._review_by_itself, attempt["id"]))

    def _ready_by_itself(self, attempt_id: str) -> None:
        with self.lock:
            attempt = self.attempts.get(attempt_id)
            if attempt and attempt["status"] == "created":
                self.send_ready(attempt)
                self.save()

    def _review_by_itself(self, attempt_id: str) -> None:
        with self.lock:
            attempt = self.attempts.get(attempt_id)
            if attempt and attempt["status"] == "submitted":
                self.send_review(attempt)
                self.save()

    def _become(self, attempt: Record, status: str) -> None:
        attempt["status"] = status
        attempt["history"].append({"status": status, "at": datetime.now(UTC).isoformat()})

    def _is_onboarding(self, attempt: Record) -> bool:
        return bool(self.exams.get(attempt["exam"], {}).get("exam_type") == "onboarding")
