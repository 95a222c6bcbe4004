"""The vocabulary of the booking log against the transitions that name its codes."""

from __future__ import annotations

import csv
from pathlib import Path

from proctoring.bookings.log_codes import LOG_CODES

FOLDER = Path(__file__).resolve().parent.parent / "catalogues"


def test_every_transition_names_a_known_code_that_ends_in_its_status() -> None:
    with (FOLDER / "booking_transitions.csv").open(encoding="utf-8", newline="") as file:
        named = [(row["to"], row["log_code"]) for row in csv.DictReader(file) if row["log_code"]]
    assert named
    assert {(to, code) for to, code in named if LOG_CODES[code].status_after != to} == set()
