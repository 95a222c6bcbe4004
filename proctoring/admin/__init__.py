"""The Django admin: one module a feature. Like every door it parses, authorises, calls one service, and renders.

``TimeEntry`` is shown inside its attempt, ``IdempotencyRecord`` not at all: it is nobody's business but the API's, and
``Pseudonym`` neither: whoever could look them up could undo them.
"""

from proctoring.admin import allowances, attempts, exams, inbox, onboarding, outbox, privacy, reviews

__all__ = ["allowances", "attempts", "exams", "inbox", "onboarding", "outbox", "privacy", "reviews"]
