"""What carrying a delivery out can come to, whoever its receiver is."""

from __future__ import annotations

from collections.abc import Callable

from proctoring.errors import BackendError


class NotYet(Exception):
    """Something else must reach the receiver first."""


class Moot(Exception):
    """There is nothing left to deliver."""


class HostFailed(BackendError):
    """The LMS did not do its part, for whatever reason: it is asked again."""

    code = "host_failed"


class MailFailed(BackendError):
    """The mail did not leave: tried again, or refused for good."""

    code = "mail_failed"


Apply = Callable[[], None]
"""Applies the receiver's answer; runs in the transaction that settles the delivery."""


def nothing_to_apply() -> None:
    """The receiver only had to hear it."""
