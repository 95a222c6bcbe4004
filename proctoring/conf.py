"""``PROCTORING``: every key, its type, default and meaning. A misspelt key is the system check ``proctoring.E001``.

``settings.<key in lower case>`` is read at each use, so ``override_settings`` works. Nothing else of ours reads
``django.conf.settings.PROCTORING``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import lru_cache
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed

SETTING = "PROCTORING"

ALIAS = re.compile(r"[A-Za-z0-9_.-]{1,100}")
PAGE_KINDS = (
    "focus",
    "full_screen",
    "clipboard",
    "context_menu",
    "shortcuts",
    "inspector",
    "errors",
    "pages",
    "questions",
)
"""What the page of an attempt can note of itself."""
PAGE_BLOCKS = ("clipboard", "context_menu", "shortcuts")
"""Those of them that it can stop as well."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProctoringSettings:
    """The keys of ``PROCTORING`` in lower case. Durations carry their unit in the name."""

    host: str = "proctoring.host.Host"
    """Dotted path of the ``Host`` subclass that answers for the LMS."""

    backends: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Alias → ``{"BACKEND": dotted path, "OPTIONS": keyword arguments}``. ``null`` always exists."""

    default_backend: str = "null"
    """Alias of the vendor for exams that name none."""

    access_token_keys: tuple[str, ...] = ()
    """Keys that sign access tokens, newest first, 32 characters at least. Without one no token is issued."""

    access_token_seconds: int = 60
    """How long an access token is good for."""

    page_token_hours: int = 12
    """How long the page of a running attempt may report without being loaded again, or a session."""

    heartbeat_lost_after: int = 3
    """After so many intervals without a heartbeat the page of an attempt counts as lost; after half of them as late."""

    heartbeat_busy_ms: int = 250
    """When heartbeats take longer than this on the average, pages are asked to send fewer."""

    page_max_events: int = 50_000
    """After so many events the page of an attempt is still heard, and no more of its events are kept."""

    page_notes: tuple[str, ...] = ("focus", "full_screen", "shortcuts", "inspector", "errors", "pages", "questions")
    """What pages of attempts note of themselves, beside those kinds ``clipboard`` and ``context_menu``. A page may say
    otherwise."""

    page_blocks: tuple[str, ...] = ()
    """What they stop as well: ``clipboard``, ``context_menu``, ``shortcuts``."""

    pseudonym_keys: tuple[str, ...] = ()
    """Keys of the pseudonymous ids that vendors get, newest first, 32 characters at least."""

    encryption_keys: tuple[str, ...] = ()
    """Keys that encrypt vendors' messages at rest, newest first, 32 characters at least."""

    lms_host: str = ""
    """The LMS's public address as vendors are told it, e.g. ``https://lms.example.org``."""

    keep_timed_out: bool = False
    """True: an attempt whose deadline passed becomes ``timed_out``; False: ``submitted``."""

    second_reviews: bool = True
    """True: a vendor's violation or suspicion waits for a person; False: it rejects at once."""

    low_threshold: float = 0.2
    """Share of the total time below which the timer warns."""

    critical_threshold: float = 0.05
    """Share of the total time below which the timer is critical."""

    delivery_max_tries: int = 20
    """After so many failed tries a delivery is given up and waits for a person."""

    delivery_backoff_seconds: int = 5
    """Pause after the first failed try; doubles with each, up to an hour, with jitter."""

    lease_seconds: int = 120
    """How long a worker may hold a claimed row before another may take it. Longer than any vendor call."""

    circuit_failures: int = 5
    """So many failures in a row stop the calls to a vendor."""

    circuit_open_seconds: int = 30
    """After so long one call tries whether the vendor is back."""

    unknown_id_hours: int = 24
    """How long a message about an unknown id is tried again before it is quarantined."""

    booking_onboarding_minutes: int = 15
    """So long before its window a booking's proctors are reserved, where the planner does not say."""

    booking_closing_minutes: int = 10
    """So long after its window they stay."""

    booking_send_tries: int = 6
    """After so many failed tries to send it a booking is rejected."""

    booking_check_tries: int = 20
    """After so many checks without an answer a booking is rejected."""

    booking_check_seconds: int = 30
    """Pause before a booking's first check; doubles with each, up to an hour, with jitter."""

    booking_recheck_hours: int = 6
    """How often the vendor is asked whether a confirmed booking still holds, until its window opens."""

    rating_tries: int = 8
    """After so many vain looks for a rating that was announced it is given up."""

    rating_seconds: int = 60
    """Pause after the first vain look; doubles with each, up to an hour, with jitter."""

    ratings_minutes: int = 10
    """How often vendors' lists of ratings and sessions are read."""

    acs_log_includes: tuple[str, ...] = ()
    """What the ACS log shows beside the rest: ``test-taker``, ``start``, ``resume``, ``submission``, ``navigation``."""

    tenant_id: str = ""
    """This environment's name in the ACS log."""

    keep_events_days: int = 1825
    """After so long what events say of people is blanked: addresses, browsers, words, data. Types and times stay.
    From which addresses and browsers pages were heard goes as a whole."""

    seal_after_hours: int = 24
    """So long after the last event of an ended attempt its log is sealed."""

    evidence_keys: tuple[str, ...] = ()
    """Keys that sign evidence which is handed out, newest first, 32 characters at least. Without one none is."""

    send_mail: bool = True
    """Whether candidates get mails about their attempts."""

    mail_from: str = ""
    """Sender of the mails; empty: Django's ``DEFAULT_FROM_EMAIL``."""

    onboarding_valid_days: int = 365
    """How long an approved onboarding holds."""

    onboarding_warning_days: int = 28
    """So many days before its end an approval is said to expire soon."""

    keep_message_bodies_days: int = 90
    """After so long the bodies of vendors' messages are blanked."""

    keep_video_links_days: int = 365
    """After so long the links to recordings are dropped."""

    keep_reviews_days: int = 1825
    """After so long comments, payloads and names in reviews are blanked. Verdicts and statistics stay."""

    webhook_max_bytes: int = 1_048_576
    """A larger webhook body is refused."""


@lru_cache(maxsize=1)
def _load() -> ProctoringSettings:
    given = getattr(django_settings, SETTING, {})
    known = {f.name for f in fields(ProctoringSettings)}
    values: dict[str, Any] = {
        key.lower(): tuple(value) if isinstance(value, list) else value
        for key, value in given.items()
        if isinstance(key, str) and key.isupper() and key.lower() in known
    }
    return ProctoringSettings(**values)


class _Lazy:
    def __getattr__(self, name: str) -> Any:
        return getattr(_load(), name)


settings: ProctoringSettings = _Lazy()  # type: ignore[assignment]  # a view of the dataclass that notices changes


def _forget(*, setting: str, **_: object) -> None:
    if setting == SETTING:
        _load.cache_clear()


setting_changed.connect(_forget, dispatch_uid="proctoring.conf")


def problems() -> Iterator[tuple[str, str]]:
    """Yield ``(key, sentence)`` for each thing that is wrong with ``settings.PROCTORING``."""
    given = getattr(django_settings, SETTING, {})
    if not isinstance(given, Mapping):
        yield SETTING, f"{SETTING} must be a dictionary."
        return
    known = {f.name.upper(): f for f in fields(ProctoringSettings)}
    for key, value in given.items():
        if key not in known:
            yield str(key), f"unknown key; known are {', '.join(sorted(known))}."
        elif sentence := _wrong(known[key], value):
            yield key, sentence


def _wrong(key: Field[Any], value: object) -> str:
    if key.type == "tuple[str, ...]":
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            return "must be a list of strings."
        if key.name.endswith("_keys") and any(len(item) < 32 for item in value):
            return "each key needs 32 characters or more."
        known = {"page_notes": PAGE_KINDS, "page_blocks": PAGE_BLOCKS}.get(key.name)
        if known and (unknown := sorted(set(value) - set(known))):
            return f"does not know {', '.join(unknown)}; known are {', '.join(known)}."
        return ""
    if key.name == "backends":
        return _wrong_backends(value)
    wanted: Any = {"str": str, "bool": bool, "int": int, "float": (int, float)}[str(key.type)]
    if not isinstance(value, wanted) or (isinstance(value, bool) and key.type != "bool"):
        return f"must be a {key.type}, not {type(value).__name__}."
    # Not "<= 0": that would let a NaN pass.
    if isinstance(value, int | float) and not value > 0 and key.type != "bool":
        return "must be above zero."
    return ""


def _wrong_backends(value: object) -> str:
    if not isinstance(value, Mapping):
        return "must map aliases to {'BACKEND': ..., 'OPTIONS': {...}}."
    for alias, entry in value.items():
        if not isinstance(alias, str) or not ALIAS.fullmatch(alias):
            return f"the alias {alias!r} must be 1 to 100 letters, digits, '_', '-' or '.': it stands in addresses."
        if not isinstance(entry, Mapping) or set(entry) - {"BACKEND", "OPTIONS"} or not _names_backend(entry):
            return f"{alias!r} must be {{'BACKEND': dotted path, 'OPTIONS': {{...}}}}."
    return ""


def _names_backend(entry: Mapping[object, object]) -> bool:
    return isinstance(entry.get("BACKEND"), str) and isinstance(entry.get("OPTIONS", {}), Mapping)
