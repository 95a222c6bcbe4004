"""A learning management system for the benchmarks: whoever is in the group named after a course is enrolled in it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model

from proctoring.host import Host


class GroupHost(Host):
    def enrolled(self, course_id: str) -> Any:
        return get_user_model().objects.filter(groups__name=course_id)
