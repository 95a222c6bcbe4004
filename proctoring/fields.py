"""A column for what a vendor says: kept in its own order on every database, never queried."""

from __future__ import annotations

from typing import Any

import jsonfield


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
