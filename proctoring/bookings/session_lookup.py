"""Which bookings and which live sessions a vendor means by its ids. Whole pages of ids at once, nothing locked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from proctoring.backends.live import SessionRecord
from proctoring.bookings.models import Booking, BookingLogEntry, LiveSession
from proctoring.bookings.states import LIVE, SENT

MAX_NUMBER = 2**31 - 1
"""The column holds no more."""


def bookings_known_as(backend: str, external_ids: Collection[str]) -> dict[str, list[Booking]]:
    """Vendor's id → the bookings here that it knows by it, the oldest first: one that "existed already" shares it."""
    wanted = {one.replace("\x00", "") for one in external_ids}
    rows = Booking.objects.filter(backend=backend, external_id__in=wanted).select_related("exam").order_by("pk")
    found: dict[str, list[Booking]] = {}
    for one in rows:
        # Some databases take "ab" and "AB" for one word.
        if one.external_id is not None and one.external_id in external_ids:
            found.setdefault(one.external_id, []).append(one)
    return found


def holders_of(backend: str, external_ids: Collection[str]) -> list[LiveSession]:
    """The sessions that have one of these ids, with their bookings loaded."""
    wanted = [one for one in external_ids if "\x00" not in one]
    rows = LiveSession.objects.filter(backend=backend, external_id__in=wanted)
    return list(rows.select_related("booking"))


def sessions_meant(
    records: Sequence[SessionRecord], bookings: Mapping[str, list[Booking]]
) -> dict[tuple[str, int], int]:
    """The vendor's id of the booking, with the number of the candidate → the key of the session that it means.

    Of bookings that share one at the vendor, the one that was sent first gave the candidates their numbers. Where that
    one was given up, the same person's session of another one takes its place: never another person's.
    """
    first = _sent_first(bookings)
    numbers = {one.candidate_number for one in records if 0 <= one.candidate_number <= MAX_NUMBER}
    rows = LiveSession.objects.filter(booking__in=first.values(), candidate_number__in=numbers)
    numbered = {(one.booking_id, one.candidate_number): one for one in rows.only("booking", "candidate_number", "user")}
    named = {
        (one.booking_external_id, one.candidate_number): session
        for one in records
        if (session := numbered.get((first.get(one.booking_external_id, 0), one.candidate_number)))
    }
    return {name: session.pk for name, session in named.items()} | _stand_ins(named, bookings)


def _sent_first(bookings: Mapping[str, list[Booking]]) -> dict[str, int]:
    """Vendor's id → the key of the booking that was sent first under it, or is the oldest where none was sent."""
    first = {name: some[0].pk for name, some in bookings.items()}
    shared = {one.pk: name for name, some in bookings.items() if len(some) > 1 for one in some}
    if shared:
        sent = BookingLogEntry.objects.filter(booking__in=shared, code=SENT).order_by("-pk")
        first |= {shared[pk]: pk for pk in sent.values_list("booking_id", flat=True)}
    return first


def _stand_ins(
    named: Mapping[tuple[str, int], LiveSession], bookings: Mapping[str, list[Booking]]
) -> dict[tuple[str, int], int]:
    live = {name: [one.pk for one in some if one.status in LIVE] for name, some in bookings.items()}
    vacated = {name: one for name, one in named.items() if live[name[0]] and one.booking_id not in live[name[0]]}
    if not vacated:
        return {}
    rows = LiveSession.objects.filter(
        booking__in={pk for name in vacated for pk in live[name[0]]}, user__in={one.user_id for one in vacated.values()}
    )
    theirs = {(booking, user): pk for booking, user, pk in rows.values_list("booking_id", "user_id", "pk")}
    return {
        name: theirs[pk, one.user_id]
        for name, one in vacated.items()
        # The oldest counts: it comes last here.
        for pk in reversed(live[name[0]])
        if (pk, one.user_id) in theirs
    }
