"""The Django admin: one module a feature. Like every door it parses, authorises, calls one service, and renders.

``TimeEntry`` is shown inside its attempt, ``IdempotencyRecord`` not at all: it is nobody's business but the API's.
"""

from proctoring.admin import attempts, exams, inbox, outbox, reviews

__all__ = ["attempts", "exams", "inbox", "outbox", "reviews"]
