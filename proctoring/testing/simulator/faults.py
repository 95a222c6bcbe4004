"""Faults: rules that say when the vendor misbehaves and how. The server and the messenger ask; nothing happens here."""

from __future__ import annotations

import random
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

# kind → the field that its value on the command line means ("" where it has none)
ANSWER_FAULTS: Mapping[str, str] = {
    "latency": "seconds",
    "status": "status",
    "hang": "seconds",
    "slow_body": "seconds",
    "broken_json": "",
    "error_inside": "",
    "redirect": "location",
    "huge_body": "size",
    "lost_answer": "",
    "expired_token": "",
    "wrong_credentials": "",
    "onboarding": "word",
    "booking": "word",
    "booking_status": "word",
    "missing_result": "",
}
MESSAGE_FAULTS: Mapping[str, str] = {
    "duplicate": "copies",
    "reorder": "seconds",
    "late": "seconds",
    "wrong_signature": "",
    "altered_body": "",
    "header_skew": "seconds",
    "body_skew": "seconds",
    "rating_mismatch": "",
    "rating_invalid": "",
}
_KINDS = {**ANSWER_FAULTS, **MESSAGE_FAULTS}
_DEFAULT_SECONDS = {"latency": 1.0, "hang": 60.0, "slow_body": 0.5, "reorder": 5.0, "late": 5.0}
_SKEW = -3600.0
_DEFAULT_WORDS = {"onboarding": "onboarding_missing", "booking": "rejected", "booking_status": "pending"}


@dataclass(kw_only=True, slots=True)
class Fault:
    """One rule. ``times`` counts down to 0, None is for ever; the conditions left empty match everything."""

    kind: str
    path: str = ""
    """Part of the request's path. Empty: every path under ``/api/``, and for ``wrong_credentials`` the token's."""
    method: str = ""
    type: str = ""
    """Type of message, such as ``attempt.ready``."""
    times: int | None = None
    probability: float = 1.0
    seconds: float = 0.0
    status: int = 503
    retry_after: str = ""
    word: str = ""
    location: str = "/api/v1/config/"
    size: int = 64 * 1024 * 1024
    """Bytes of a huge body."""
    copies: int = 1
    """How many more times a duplicated message is sent."""

    @classmethod
    def from_json(cls, value: Any) -> Fault:
        """``ValueError`` with a sentence for anything that is not a rule."""
        if not isinstance(value, dict) or value.get("kind") not in _KINDS:
            raise ValueError(f"a fault has a kind, one of {', '.join(_KINDS)}")
        kinds = {field.name: str(field.type) for field in fields(cls)}
        seconds = _SKEW if value["kind"].endswith("_skew") else _DEFAULT_SECONDS.get(value["kind"], 0.0)
        read = {name: _read(name, item, kinds.get(name, "")) for name, item in value.items()}
        return cls(**{"seconds": seconds, "word": _DEFAULT_WORDS.get(value["kind"], ""), **read})

    @classmethod
    def from_text(cls, text: str) -> Fault:
        """Read ``kind[=value][,name=value…]``, as the command line has it."""
        first, *rest = text.split(",")
        kind, _, main = first.partition("=")
        values: dict[str, Any] = {"kind": kind}
        if main:
            if not _KINDS.get(kind):
                raise ValueError(f"fault {kind!r} is unknown or takes no value")
            values[_KINDS[kind]] = main
        values.update(part.partition("=")[::2] for part in rest)
        return cls.from_json(values)

    def matches(self, *, path: str, method: str, message_type: str) -> bool:
        if self.kind in MESSAGE_FAULTS:
            return self.type in ("", message_type)
        default = "/oauth2/" if self.kind == "wrong_credentials" else "/api/"
        return (self.path or default) in path and self.method in ("", method)


class Faults:
    """The rules in force. ``seed`` decides the chances."""

    def __init__(self, rules: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self._rules = list(rules)
        # Repeatable on purpose; it protects nothing.
        self._random = random.Random(seed)  # noqa: S311  # nosec B311
        self._lock = threading.Lock()

    def replace(self, rules: Iterable[Fault]) -> None:
        with self._lock:
            self._rules = list(rules)

    def add(self, rule: Fault) -> None:
        with self._lock:
            self._rules.append(rule)

    def as_json(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(rule) for rule in self._rules]

    def take(self, kinds: Collection[str], *, path: str = "", method: str = "", message_type: str = "") -> Fault | None:
        """Return the first rule of ``kinds`` that strikes now, and count it."""
        with self._lock:
            for rule in self._rules:
                if rule.kind not in kinds or rule.times == 0:
                    continue
                if not rule.matches(path=path, method=method, message_type=message_type):
                    continue
                if rule.probability < 1 and self._random.random() >= rule.probability:
                    continue
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None


def _read(name: str, value: Any, kind: str) -> Any:
    """One field of a rule, given as JSON or as text of the command line."""
    try:
        if kind == "str" and isinstance(value, str | int):
            return str(value)
        if kind.startswith("int") and not isinstance(value, bool):
            return None if value is None and "None" in kind else int(value)
        if kind == "float" and not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise ValueError(f"a fault has no {name}={value!r}")
