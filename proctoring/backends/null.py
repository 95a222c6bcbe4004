"""No vendor: exams run on the LMS alone. The alias ``null`` always exists."""

from __future__ import annotations

from proctoring.backends.base import Backend


class NullBackend(Backend):
    """Claims no capability, so nothing is ever owed to it and a candidate starts without waiting for anybody."""

    verbose_name = "No vendor"
