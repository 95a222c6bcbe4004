"""Columns that mean the same on every database: a vendor's JSON, and words that are told apart by each letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonfield
from django.db import models

if TYPE_CHECKING:
    CharField = models.CharField[Any, Any]
else:
    CharField = models.CharField


class VendorJSONField(jsonfield.JSONField):
    """JSON as text. Refuses NaN and Infinity, which are no JSON and which PostgreSQL and clients would choke on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"default": dict, **kwargs, "dump_kwargs": {"allow_nan": False}})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("dump_kwargs", None)
        return name, path, args, kwargs

    def formfield(self, **kwargs: Any) -> Any:
        """With a copy: the package writes its form's indentation into the very options that the column saves with."""
        return super().formfield(**{"dump_kwargs": dict(self.dump_kwargs), **kwargs})


class ExactCharField(CharField):
    """Text in which "a" and "A" are two: MySQL and MariaDB take them for one unless they are told otherwise."""

    def db_parameters(self, connection: Any) -> Any:
        collation = "utf8mb4_bin" if connection.vendor == "mysql" else self.db_collation
        return {**super().db_parameters(connection), "collation": collation}
