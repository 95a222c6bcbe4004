"""Change many rows in one statement, each to values of its own. Not for models that have a history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.sql.compiler import SQLCompiler

BATCH = 500


def update_each(rows: Iterable[Model], fields: Sequence[str]) -> int:
    """Write these fields of the rows, all of one model. A statement for each 500. Returns how many rows there were.

    Django's ``bulk_update`` works out a condition for each value of each row: with a page of some hundred rows that
    takes longer than everything else about it.
    """
    left, written = list(rows), 0
    for at in range(0, len(left), BATCH):
        some = left[at : at + BATCH]
        values = {name: {row.pk: getattr(row, name) for row in some} for name in fields}
        written += update_by_key(type(some[0])._base_manager.all(), values)
    return written


def update_by_key(rows: QuerySet[Any], values: Mapping[str, Mapping[Any, Any]], **same: object) -> int:
    """Write to those of ``rows`` that are named. ``values``: field → primary key → value, for the same keys each;
    ``same``: what all of them get. One statement. Returns how many rows there were."""
    fields = rows.model._meta
    changes = {name: _ByKey(fields.pk.column or "", fields.get_field(name), given) for name, given in values.items()}
    keys = {key for given in values.values() for key in given}
    return rows.filter(pk__in=keys).update(**changes, **same)


class _ByKey(Expression):
    """``CASE id WHEN … THEN …`` with the value of each key."""

    def __init__(self, key: str, field: Field[Any, Any], values: Mapping[Any, Any]) -> None:
        super().__init__(output_field=field)
        self._key, self._field, self._values = key, field, values

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        params: list[Any] = []
        for key, value in self._values.items():
            params += (key, self._field.get_db_prep_save(value, connection))
        cases = " ".join(["WHEN %s THEN %s"] * len(self._values))
        sql = f"CASE {connection.ops.quote_name(self._key)} {cases} END"
        # PostgreSQL would take a column of nothing but NULL and words for one of text.
        if connection.features.requires_casted_case_in_updates:
            sql = f"({sql})::{self._field.db_type(connection)}"
        return sql, tuple(params)
