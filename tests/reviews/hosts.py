"""A learning management system whose support wants to know."""

from __future__ import annotations

from typing import Any

from proctoring.host import Host


class SupportedHost(Host):
    def notify_support(self, course_id: str, content_id: str, **facts: Any) -> None:
        """Never called in these tests: they look at what is promised."""
