"""One text for one JSON value, whichever database or library it comes from. Format 1 (``docs/evidence.rst``)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any


class _Written(str):
    """A piece of the text, as opposed to a value that is still to be written."""

    __slots__ = ()


_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":"))
"""Writes texts, and whatever holds nothing but them and whole numbers, just so, and does it fast."""

_PLAIN = frozenset({str, int, bool, type(None)})

_COMMA, _CLOSE_LIST, _CLOSE_OBJECT = _Written(","), _Written("]"), _Written("}")


def canonical(value: Any) -> bytes:
    """UTF-8 without blanks, names in the order of their code points, only what must be escaped escaped, and numbers as
    plain decimals.

    Objects are ``dict``, lists ``list`` or ``tuple``. Without recursion: a vendor's data may be nested more deeply than
    Python likes. Raises ``ValueError`` for what is no JSON.
    """
    written: list[str] = []
    waiting: list[Any] = [value]
    while waiting:
        one = waiting.pop()
        if type(one) is _Written:
            written.append(one)
        elif isinstance(one, dict):
            if _PLAIN.issuperset(map(type, one.values())) and set(map(type, one)) <= {str}:
                written.append(_ENCODER.encode(one))
                continue
            written.append("{")
            waiting += _backwards(_members(one), _CLOSE_OBJECT)
        elif isinstance(one, list | tuple):
            written.append("[")
            waiting += _backwards(([item] for item in one), _CLOSE_LIST)
        else:
            written.append(_scalar(one))
    return "".join(written).encode()


def _members(mapping: dict[Any, Any]) -> Iterable[list[Any]]:
    if not all(isinstance(name, str) for name in mapping):
        raise ValueError("the names of an object are texts")
    for name in sorted(mapping):
        yield [_Written(_text(name) + ":"), mapping[name]]


def _backwards(items: Iterable[list[Any]], close: _Written) -> list[Any]:
    """What is to be written, last first: the waiting list is a stack."""
    pieces: list[Any] = []
    for item in items:
        if pieces:
            pieces.append(_COMMA)
        pieces += item
    return [close, *reversed(pieces)]


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        return _decimal(value)
    raise ValueError(f"{type(value).__name__} is no JSON")


def _text(value: str) -> str:
    return _ENCODER.encode(value)


def _decimal(value: float | Decimal) -> str:
    """The shortest decimal that means this number, without an exponent: PostgreSQL keeps 1e16 as 10000000000000000 and
    knows no negative zero, SQLite and MariaDB keep what they were given."""
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not exact.is_finite():
        raise ValueError("a number that is not finite is no JSON")
    text = format(exact, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
