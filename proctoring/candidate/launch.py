"""What a vendor gave for the candidate's eyes, made harmless: text stays text, a link is http or https or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """``present``: the vendor has answered, so there is no more to wait for."""

    download_url: str = ""
    join_url: str = ""
    instructions: tuple[str, ...] = ()

    @property
    def present(self) -> bool:
        return bool(self.download_url or self.join_url or self.instructions)


def read_launch(data: Any) -> Launch:
    """Read ``Attempt.launch_data``, whatever a plugin may have put there."""
    if not isinstance(data, Mapping):
        return Launch()
    lines = data.get("instructions")
    return Launch(
        download_url=safe_link(data.get("download_url")),
        join_url=safe_link(data.get("join_url")),
        instructions=tuple(str(line) for line in lines) if isinstance(lines, list | tuple) else (),
    )


def safe_link(value: Any) -> str:
    """``value`` where a browser may follow it, otherwise nothing: ``javascript:`` would run in the LMS's origin."""
    if not isinstance(value, str) or any(not sign.isprintable() or sign.isspace() for sign in value):
        return ""
    try:
        parts = urlsplit(value)
    except ValueError:
        return ""
    return value if parts.scheme in ("http", "https") and parts.hostname else ""
