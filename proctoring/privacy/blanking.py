"""Empty or delete rows, batch by batch, and say how many. Rows that are empty already are not counted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Model, Q, QuerySet

from proctoring.privacy.rule import Fate, Personal, Rule
from proctoring.privacy.rules import RULES, history_of, kept_in

BATCH = 500


def blank(
    rows: QuerySet[Any],
    fields: Mapping[str, Personal],
    *,
    now: datetime,
    stamp: str = "",
    first: Callable[[Collection[int]], None] | None = None,
    dry_run: bool = False,
    **further: object,
) -> Iterator[int]:
    """Empty ``fields`` of those ``rows`` that still have something in them; yields the rows of each batch.

    Each batch is a transaction of its own where the caller has none. ``further`` is set in the same statement,
    ``first`` is done before it.
    No version is written: the versions are emptied too, and a certificate says what was done.
    """
    full = rows.filter(_something_in(fields, stamp))
    if dry_run:
        yield full.count()
        return
    changes: dict[str, object] = {name: personal.blank for name, personal in fields.items()} | further
    if stamp:
        changes[stamp] = now
    for batch in in_batches(full):
        # Asked again: another run may have been faster, and counts what it did.
        left = rows.model._base_manager.filter(_something_in(fields, stamp), pk__in=batch)
        if first is None:
            yield left.update(**changes)
            continue
        with transaction.atomic():
            first(batch)
            done = left.update(**changes)
        yield done


def delete(rows: QuerySet[Any], *, dry_run: bool = False) -> Iterator[int]:
    """Delete ``rows`` without writing versions of them; yields the rows of each batch."""
    if dry_run:
        yield rows.count()
        return
    for batch in in_batches(rows):
        yield _delete_batch(rows.model, batch)


def erase_rows(user_pk: int, *, now: datetime) -> dict[str, int]:
    """Treat every row about the person as its rule says, history included. Model → how many rows.

    Rows that only a vendor's answer lets go (``Fate.FORGOTTEN_WITH_VENDOR``) are left to ``vendors.py``.
    """
    counts: dict[str, int] = {}
    for model, rule in RULES.items():
        for one, batches in _erasures(model, rule, user_pk, now):
            counts[str(one._meta.model_name)] = sum(batches)
    return counts


def _erasures(
    model: type[Model], rule: Rule, user_pk: int, now: datetime
) -> Iterator[tuple[type[Model], Iterator[int]]]:
    if rule.about is None or rule.fate == Fate.FORGOTTEN_WITH_VENDOR:
        return
    history, about = history_of(model), rule.about(user_pk)
    if rule.fate == Fate.DELETED:
        if history is not None:
            yield history, delete(history._base_manager.filter(about))
        yield model, delete(model._base_manager.filter(about))
        return
    if history is not None:
        yield history, blank(history._base_manager.filter(about), kept_in(history, rule.personal), now=now)
    if rule.personal:
        yield (
            model,
            blank(model._base_manager.filter(about), rule.personal, now=now, stamp=rule.stamp, first=rule.first),
        )


def in_batches(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """Primary keys, in order. By position, so that a batch which cannot be changed is not offered for ever."""
    last: Any = None
    ordered = rows.order_by("pk").values_list("pk", flat=True)
    while batch := list((ordered if last is None else ordered.filter(pk__gt=last))[:BATCH]):
        yield batch
        if len(batch) < BATCH:
            return
        last = batch[-1]


def _something_in(fields: Mapping[str, Personal], stamp: str) -> Q:
    wanted = Q(**{f"{stamp}__isnull": True}) if stamp else Q(pk__in=())
    for name, personal in fields.items():
        wanted |= Q(**{f"{name}__isnull": False}) if personal.blank is None else ~Q(**{name: personal.blank})
    return wanted


@transaction.atomic
def _delete_batch(model: type[Model], keys: list[Any]) -> int:
    """Without Django's signals: simple-history would keep a last version of what is to be forgotten."""
    rows: Any = model._base_manager.filter(pk__in=keys)
    return int(rows._raw_delete(rows.db))
