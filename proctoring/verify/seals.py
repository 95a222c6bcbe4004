"""The chain of seals in a bundle: whether each root follows from what its seal says, and which leaf has which place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from proctoring.verify.findings import ADDED, ALTERED, MISSING, Report
from proctoring.verify.layout import LEAVES, SEALS
from proctoring.verify.merkle import ALGORITHM, HASH_BYTES, Tree, seal_root
from proctoring.verify.reading import Bundle, NotABundle

FACTS = frozenset(
    {"algorithm", "attempt", "number", "previous_root", "count", "first_event", "last_event", "sealed_at"}
)


@dataclass(frozen=True, slots=True)
class Place:
    seal: int
    place: int
    event: int


@dataclass(slots=True)
class Chain:
    places: list[Place] = field(default_factory=list)
    index: dict[bytes, int] = field(default_factory=dict)
    """Leaf → where in ``places``."""
    numbers: list[int] = field(default_factory=list)
    last_event: int = 0
    """Of the last seal: what is not sealed yet comes after it."""


def read_chain(bundle: Bundle, attempt: int, report: Report) -> Chain:
    seals = _seals(bundle)
    chain = Chain(numbers=[row["number"] for row in seals])
    trees = {number: Tree() for number in chain.numbers}
    for row in bundle.lines(LEAVES):
        _take_leaf(row, chain, trees, report)
    before: str | None = None
    for position, row in enumerate(seals, start=1):
        number = row["number"]
        if number != position:
            report.add(MISSING, f"Where seal {position} should be stands seal {number}.", file=SEALS, seal=position)
        if row["attempt"] != attempt:
            report.add(ALTERED, f"Seal {number} is of another attempt.", file=SEALS, seal=number)
        if row["previous_root"] != before:
            report.add(
                ALTERED, f"Seal {number} does not go on from the root of the seal before it.", file=SEALS, seal=number
            )
        _check_root(row, trees[number], report)
        before, chain.last_event = row["root"], max(chain.last_event, row["last_event"])
    return chain


def _seals(bundle: Bundle) -> list[dict[str, Any]]:
    rows = bundle.json(SEALS)
    if not isinstance(rows, list) or not all(isinstance(row, dict) and {*row} == FACTS | {"root"} for row in rows):
        raise NotABundle(f"{SEALS} is not a list of seals.")
    for row in rows:
        numbers = [row[name] for name in ("algorithm", "attempt", "number", "count", "first_event", "last_event")]
        if not all(type(number) is int for number in numbers) or not isinstance(row["root"], str):
            raise NotABundle(f"{SEALS} holds a seal that is none.")
        if row["algorithm"] != ALGORITHM:
            raise NotABundle(f"Seal {row['number']} was made by algorithm {row['algorithm']}, which is not known here.")
    if len({row["number"] for row in rows}) != len(rows):
        raise NotABundle(f"{SEALS} has two seals of one number.")
    return rows


def _take_leaf(row: Any, chain: Chain, trees: dict[int, Tree], report: Report) -> None:
    try:
        seal, place, event, leaf = row["seal"], row["place"], row["event"], bytes.fromhex(row["leaf"])
    except (TypeError, KeyError, ValueError) as wrong:
        raise NotABundle(f"{LEAVES} holds a row that is none.") from wrong
    if not all(type(number) is int and number < 2**63 for number in (seal, place, event)) or len(leaf) != HASH_BYTES:
        raise NotABundle(f"{LEAVES} holds a row that is none.")
    if seal not in trees:
        report.add(MISSING, f"Events of a seal {seal} are listed, which is not there.", file=SEALS, seal=seal)
        return
    if leaf in chain.index:
        report.add(ADDED, f"The leaf of event {event} is listed twice.", file=LEAVES, event=event, seal=seal)
        return
    chain.index[leaf] = len(chain.places)
    chain.places.append(Place(seal, place, event))
    trees[seal].add(leaf)
    if trees[seal].count != place:
        report.add(ALTERED, f"Place {place} of seal {seal} stands where it should not.", file=LEAVES)


def _check_root(row: dict[str, Any], tree: Tree, report: Report) -> None:
    number = row["number"]
    if tree.count != row["count"]:
        text = f"Seal {number} says that it holds {row['count']} events; {tree.count} are listed."
        report.add(ALTERED, text, file=SEALS, seal=number)
    facts = {name: row[name] for name in FACTS}
    if not tree.count or seal_root(facts, tree.root()).hex() != row["root"]:
        text = f"The root of seal {number} does not follow from what the seal says and the leaves that are listed."
        report.add(ALTERED, text, file=SEALS, seal=number)
