"""The vendor's live sessions: a room for each candidate of a confirmed booking. No HTTP."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(kw_only=True, slots=True)
class Session:
    booking: str
    exam: str
    candidate_number: int
    user_id: str
    id: str = field(default_factory=lambda: f"session-{uuid.uuid4().hex}")
    code: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Part of the address of the room, which whoever knows it may enter."""
    joined_at: str | None = None
    """When the candidate entered."""
    is_open: bool = True
    """False when the booking was given up, or taken from the LMS."""


class Sessions:
    def __init__(self) -> None:
        self.rows: dict[str, Session] = {}
        self._by_code: dict[str, Session] = {}
        self._by_exam: defaultdict[str, list[Session]] = defaultdict(list)
        self._by_person: defaultdict[tuple[str, str], list[Session]] = defaultdict(list)

    def clear(self) -> None:
        for memory in (self.rows, self._by_code, self._by_exam, self._by_person):
            memory.clear()

    def load(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self.clear()
        for row in rows:
            self.add(Session(**row))

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(session) for session in self.rows.values()]

    def add(self, session: Session) -> None:
        self.rows[session.id] = session
        self._by_code[session.code] = session
        self._by_exam[session.exam].append(session)
        self._by_person[session.exam, session.user_id].append(session)

    def by_code(self, code: str) -> Session | None:
        return self._by_code.get(code)

    def of(self, exam: str, user_id: str) -> Session | None:
        """The newest open one of this candidate at this exam."""
        mine = self._by_person.get((exam, user_id), [])
        return next((session for session in reversed(mine) if session.is_open), None)

    def close(self, booking: str) -> None:
        for session in self.rows.values():
            if session.booking == booking:
                session.is_open = False

    def page(self, exam: str, *, start: int, size: int) -> tuple[list[Session], int | None]:
        """The open ones of the next ``size`` sessions of an exam, and where the list goes on."""
        every = self._by_exam.get(exam, [])
        shown = [session for session in every[start : start + size] if session.is_open]
        return shown, start + size if start + size < len(every) else None

    def retire(self, user_id: str) -> None:
        for session in self.rows.values():
            if session.user_id == user_id:
                session.user_id = ""
        self.load(self.as_json())
