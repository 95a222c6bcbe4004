"""Requests and answers inside the simulator, and how a path finds its function."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


class RefusedError(Exception):
    """The request cannot be served; becomes an answer with this status and ``{"detail": …}``."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """``target`` is the path with its query as it came; ``headers`` has lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def json_object(self) -> dict[str, Any]:
        """The body; empty is ``{}``. Raises ``RefusedError`` for what is no JSON object."""
        try:
            value = json.loads(self.body or b"{}")
        except (ValueError, RecursionError):
            raise RefusedError(400, "The body is not JSON.") from None
        if not isinstance(value, dict):
            raise RefusedError(400, "The body is not a JSON object.")
        return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """``body`` is JSON to be, or text of ``content_type``; None is no body at all."""

    status: int = 200
    body: Any = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        text = json.dumps(self.body) if self.content_type == "application/json" else str(self.body)
        return text.encode()


class Routes:
    """Method and path → function of the request and the path's variable parts."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Reply]]] = []

    def add(self, method: str, path: str, function: Callable[..., Reply]) -> None:
        """``path`` has ``{}`` where a part of it is variable."""
        pattern = re.compile("([^/]+)".join(re.escape(part) for part in path.split("{}")) + "/?")
        self._routes.append((method, pattern, function))

    def serve(self, request: Request) -> Reply:
        """Raises ``RefusedError``: 404 for an unknown path, 405 for a method that it does not have."""
        known = False
        for method, pattern, function in self._routes:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                return function(request, *(unquote(part) for part in match.groups()))
            known = known or match is not None
        raise (
            RefusedError(405, "This path has no such method.") if known else RefusedError(404, "There is nothing here.")
        )


def positive(query: Mapping[str, str], name: str, default: int) -> int:
    """A number of the query, ``default`` for anything that is none."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and int(text[:9]) > 0 else default


def only(said: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return ``said``; ``RefusedError`` if it has other names."""
    unknown = [name for name in said if name not in names]
    if unknown:
        raise RefusedError(400, f"{', '.join(unknown)} means nothing here; {', '.join(names)} do.")
    return said
