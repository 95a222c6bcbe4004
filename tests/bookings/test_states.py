"""Every pair of statuses, every actor and every code, against the vocabulary."""

from __future__ import annotations

import csv
import itertools
import re
from pathlib import Path

import pytest
from django.utils.translation import override

from proctoring.bookings import states
from proctoring.bookings.doctor import ADVICE, Mender
from proctoring.bookings.log_codes import LOG_CODES, codes_about
from proctoring.bookings.models import Booking, BookingLogEntry
from proctoring.bookings.states import TRANSITIONS, Actor, Status, can_become

FOLDER = Path(__file__).resolve().parent.parent / "catalogues"


def vocabulary() -> set[tuple[str, str, str, str]]:
    with (FOLDER / "booking_transitions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["from"], row["to"], who, row["log_code"]) for row in rows for who in row["who"].split(";")}


def variables() -> dict[str, set[str]]:
    with (FOLDER / "booking_log_codes.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: set(row["context_variables"].split(";")) for row in csv.DictReader(file)}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(Status, Status)), ids=lambda one: one.value)
def test_the_table_is_the_vocabularys(old: Status, new: Status) -> None:
    wanted = {(who, code) for before, after, who, code in vocabulary() if (before, after) == (old.value, new.value)}
    every = itertools.product(Actor, [states.WITHOUT_CODE, *LOG_CODES])
    assert {(actor.value, code) for actor, code in every if can_become(old, new, actor, code)} == wanted


def test_every_status_has_its_row_and_cancelled_is_the_end() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert not TRANSITIONS[Status.CANCELLED]


def test_every_reason_of_a_rejection_has_its_advice() -> None:
    assert set(ADVICE) == {code for code in LOG_CODES if code.startswith(states.REASON)}
    for reason, advice in ADVICE.items():
        assert str(advice.cause), reason
        assert str(advice.next_step), reason
        assert isinstance(advice.mender, Mender)
        # Where the vendor may hold the booking, asking comes before sending.
        assert advice.may_send_again is not advice.may_check_again


@pytest.mark.parametrize("code", LOG_CODES)
def test_a_text_uses_the_codes_own_variables(code: str) -> None:
    with override("en"):
        used = set(re.findall(r"%\((\w+)\)s", str(LOG_CODES[code].text)))
    assert used == variables()[code]


def test_an_entry_is_read_in_the_readers_language_and_never_fails() -> None:
    code = "abandoned_booking_check_due_to_incompatible_booking_status"
    entry = BookingLogEntry(code=code, context={"exam": "Latin", "booking_status": "cancelled"}, booking=Booking())
    with override("en"):
        assert entry.text == (
            "Latin: the vendor's answer is not awaited any more, because the booking is now: Cancelled."
        )
    with override("de"):
        german = entry.text
    assert german.startswith("Latin: ")
    assert "Abgesagt" in german
    assert BookingLogEntry(code=code, context={}).text
    assert BookingLogEntry(code="", context={"exam": "Latin", "step": "cancelled"}).text == "Latin: cancelled"
    assert BookingLogEntry(code="of_a_newer_version", context={"exam": "Latin"}).text == "Latin: ?"


def test_subjects_share_out_the_codes() -> None:
    assert sum(len(codes_about(subject)) for subject in ("booking", "session", "rating")) == len(LOG_CODES) == 29
