"""What the modules know beyond what the API shows, against the vocabularies as they were handed over."""

from __future__ import annotations

import csv
from pathlib import Path

from proctoring.logs.candidate_actions import CANDIDATE_ACTIONS
from proctoring.logs.event_types import EVENT_TYPES, FIRST_OWN, Source
from proctoring.logs.reason_codes import REASON_CODES

FOLDER = Path(__file__).resolve().parent.parent / "catalogues"


def test_own_event_types_know_who_may_send_them_and_how_each_log_reads_them() -> None:
    with (FOLDER / "own_event_types.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = {
        int(row["type"]): (
            frozenset(row["sources"].split(";")),
            row["acs_action"],
            int(row["acs_reason_code"]) if row["acs_reason_code"] else None,
            row["candidate_action"],
        )
        for row in rows
    }
    own = {code: one for code, one in EVENT_TYPES.items() if code > FIRST_OWN}
    assert {
        code: (frozenset(source.value for source in one.sources), one.acs_action, one.reason_code, one.candidate_action)
        for code, one in own.items()
    } == expected


def test_vocabularies_refer_to_each_other_by_words_that_exist() -> None:
    for one in EVENT_TYPES.values():
        assert one.reason_code is None or one.reason_code in REASON_CODES
        assert not one.candidate_action or one.candidate_action in CANDIDATE_ACTIONS


def test_the_page_may_send_every_type_of_the_vendors() -> None:
    assert all(Source.PAGE in one.sources for code, one in EVENT_TYPES.items() if code < FIRST_OWN)
