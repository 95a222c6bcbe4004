"""Read vendors' lists page by page, so that no request ever has to ask a vendor, and nobody is asked about one by one.

``SweepCursor`` says where each list of each vendor stands. It is claimed by a lease, as everywhere; the call happens
outside of any transaction. A list may have several scopes (a course, an exam), read one after the other.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import IntegrityError
from django.db.models import Q, QuerySet

from proctoring.backends import backends
from proctoring.backends.base import Backend
from proctoring.conf import settings
from proctoring.errors import BackendAuthenticationError, BackendError, UnknownBackend
from proctoring.inbox.models import SweepCursor
from proctoring.outbox import circuits

logger = logging.getLogger(__name__)

PAUSE = timedelta(minutes=5)
"""After a failure, unless the vendor asks for more."""
MAX_RECORDS = 1000
"""Of a page; a plugin that returns more is asked to think again."""
MAX_POSITION = 500
MEANWHILE = "a candidate began meanwhile"


class Page(Protocol):
    @property
    def records(self) -> tuple[Any, ...]: ...
    @property
    def next_cursor(self) -> str: ...


class VendorList(ABC):
    """One kind of list. Subclasses say what is asked and what becomes of a page."""

    name: str
    """Of its cursor."""
    flag: str
    """The capability of the vendors that have such a list."""

    @property
    @abstractmethod
    def rest(self) -> timedelta:
        """So long a list that was read to its end is left alone."""

    @abstractmethod
    def next_scope(self, alias: str, after: str, *, now: datetime) -> str:
        """What is read after this scope (empty: at first); empty after the last one."""

    @abstractmethod
    def ask(self, backend: Backend, scope: str, cursor: str) -> Page:
        """The call."""

    @abstractmethod
    def take_in(self, alias: str, scope: str, page: Any, *, now: datetime) -> None:
        """Apply a page. Raises ``IntegrityError`` where it has to be read again."""

    def is_wanted(self, alias: str, *, now: datetime) -> bool:
        """Whether somebody waits for it, so that it has no rest."""
        return False

    # The next two are for lists whose rows somebody waits for.
    def note_end(self, alias: str, scope: str, *, now: datetime) -> None:  # noqa: B027
        """A scope was read to its end."""

    def note_failure(self, alias: str, *, now: datetime, for_good: bool) -> None:  # noqa: B027
        """The vendor could not be asked, or refused."""

    def vendors(self) -> Iterator[str]:
        """Those that have such a list. One whose plugin is broken is reported by the system check, not here."""
        for alias in backends:
            try:
                if getattr(backends[alias], self.flag):
                    yield alias
            except UnknownBackend:
                continue

    def read_next_page(self, alias: str, *, now: datetime) -> bool:
        """Read one page of this vendor's and take it in. True where there is more to read now.

        Never raises for what a vendor or a plugin does: the cursor's row says what happened.
        """
        cursor = self._claim(alias, now=now)
        if cursor is None:
            return False
        scope, _, position = cursor.position.partition("\n")
        scope = scope or self.next_scope(alias, "", now=now)
        if not scope:
            self._settle(cursor, now=now, position="", finished=True)
            return False
        if not may_call(alias, now=now):
            self._settle(cursor, now=now)
            return False
        try:
            page = self._ask(backends[alias], scope, position)
        except BackendError as error:
            return self._note_failure(cursor, scope, error, now=now)
        except Exception as mistake:  # noqa: BLE001 - logged there
            circuits.end_trial(alias)
            return self._note_mistake(cursor, mistake, now=now)
        circuits.note_vendor_answered(alias, now=now)
        try:
            self.take_in(alias, scope, page, now=now)
        except IntegrityError as clash:
            # Somebody began at the same moment: the page is read again at once. Twice running, it is the page.
            if cursor.last_error == MEANWHILE:
                return self._note_mistake(cursor, clash, now=now)
            self._settle(cursor, now=now, error=MEANWHILE)
            return True
        except Exception as mistake:  # noqa: BLE001 - logged there
            return self._note_mistake(cursor, mistake, now=now)
        return self._advance(cursor, scope, page.next_cursor if page.next_cursor != position else "", now=now)

    def _ask(self, backend: Backend, scope: str, position: str) -> Page:
        page = self.ask(backend, scope, position)
        if len(page.records) > MAX_RECORDS or len(_position(scope, page.next_cursor)) > MAX_POSITION:
            raise BackendError(f"The page of the {self.name} list, or its cursor, is too long.", retryable=False)
        return page

    def _note_failure(self, cursor: SweepCursor, scope: str, error: BackendError, *, now: datetime) -> bool:
        lasting = isinstance(error, BackendAuthenticationError)
        text = circuits.shorten(error)
        if error.retryable or lasting:
            circuits.note_vendor_failed(cursor.backend, error, now=now)
            wish = timedelta(seconds=circuits.wished_pause(error.retry_after))
            self.note_failure(cursor.backend, now=now, for_good=lasting)
            self._settle(cursor, now=now, error=text, until=now + max(PAUSE, wish))
            return False
        # The vendor will not have this question, about something it has never heard of perhaps: the others have a right
        # to be read.
        logger.warning("the %s list of %s for %r was refused: %s", self.name, cursor.backend, scope, text)
        circuits.note_vendor_answered(cursor.backend, now=now)
        self.note_failure(cursor.backend, now=now, for_good=False)
        return self._advance(cursor, scope, "", now=now, error=f"{scope}: {text}")

    def _note_mistake(self, cursor: SweepCursor, mistake: Exception, *, now: datetime) -> bool:
        """A plugin's mistake, in its call or in what it returned, must not stop the other vendors' lists. Its words may
        hold anything: they go to the log."""
        logger.error("the %s list of %s could not be read", self.name, cursor.backend, exc_info=mistake)
        self.note_failure(cursor.backend, now=now, for_good=False)
        self._settle(cursor, now=now, error=f"unforeseen {type(mistake).__name__}, see the log", until=now + PAUSE)
        return False

    def _advance(
        self, cursor: SweepCursor, scope: str, next_cursor: str, *, now: datetime, error: str | None = None
    ) -> bool:
        """To the next page, the next scope, or the end of the list. True unless that was the end.

        A list whose last scope was refused has not been read to its end: it is begun again soon, where it began.
        """
        if not next_cursor:
            if error is None:
                self.note_end(cursor.backend, scope, now=now)
            scope = self.next_scope(cursor.backend, scope, now=now)
        position = _position(scope, next_cursor) if scope else ""
        ended = not scope
        until = now + PAUSE if ended and error else None
        self._settle(cursor, now=now, position=position, finished=ended and not error, error=error, until=until)
        return not ended

    def _claim(self, alias: str, *, now: datetime) -> SweepCursor | None:
        """The cursor, held by this worker; None where another has it, or where the list was read just now."""
        SweepCursor.objects.get_or_create(name=self.name, backend=alias)
        rested = Q(finished_at__isnull=True) | Q(finished_at__lte=now - self.rest) | ~Q(position="")
        if self.is_wanted(alias, now=now):
            rested |= Q(finished_at__lte=now)
        free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
        lease = now + timedelta(seconds=settings.lease_seconds)
        mine = self._of(alias)
        return mine.get() if mine.filter(rested, free).update(claimed_until=lease) else None

    def _settle(
        self,
        cursor: SweepCursor,
        *,
        now: datetime,
        position: str | None = None,
        finished: bool = False,
        error: str | None = None,
        until: datetime | None = None,
    ) -> None:
        """Write down where the list stands and let the next worker have it, at ``until``. Only while the lease is
        ours."""
        changes: dict[str, object] = {"claimed_until": until}
        if position is not None:
            changes["position"] = position
        if finished:
            changes["finished_at"] = now
        if error is not None or position is not None:
            changes["last_error"] = error or ""
        self._of(cursor.backend).filter(claimed_until=cursor.claimed_until).update(**changes)

    def _of(self, alias: str) -> QuerySet[SweepCursor]:
        return SweepCursor.objects.filter(name=self.name, backend=alias)


def may_call(alias: str, *, now: datetime) -> bool:
    """Whether the vendor's circuit lets a call through, or wants this one as its trial."""
    resting, trial = circuits.open_circuits(now)
    return alias not in resting and (alias not in trial or circuits.begin_trial(alias, now))


def _position(scope: str, next_cursor: str) -> str:
    return f"{scope}\n{next_cursor}"
