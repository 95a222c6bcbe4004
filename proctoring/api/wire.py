"""JSON in, JSON out, whatever the host has set for its own views; and the fields that our serializers share."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any, ClassVar

from django.conf import settings as django_settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from proctoring.backends.types import FIRST_YEAR, LAST_YEAR

MAX_DEPTH = 20
"""Nesting of a body: deep enough for a vendor's rules, shallow enough for every encoder on the way."""

MAX_ID = 2**63 - 1


def is_id(text: str) -> bool:
    """Whether a text of a request can be a primary key: plain digits, and no more than the databases can look for."""
    return text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= MAX_ID


class TooLarge(APIException):
    status_code = 413
    default_detail = _("The body is too large.")
    default_code = "too_large"


class JsonParser(BaseParser):
    """Strict JSON in UTF-8: no NaN, no infinity, and no more bytes than the host lets Django read."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            data = json.loads(_read(stream).decode(), parse_constant=_refuse, parse_float=_finite)
            _measure(data, MAX_DEPTH)
        except RecursionError:
            raise ParseError(_("The JSON is nested too deeply.")) from None
        except ValueError as wrong:
            raise ParseError(_("The body is not valid JSON: %s") % wrong) from None
        return data


def _read(stream: IO[Any]) -> bytes:
    limit: int | None = django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if limit is None:
        return bytes(stream.read())
    body = bytes(stream.read(limit + 1))
    if len(body) > limit:
        raise TooLarge
    return body


def _measure(data: Any, depth: int) -> None:
    if depth < 0:
        raise RecursionError
    if isinstance(data, dict | list):
        for item in data.values() if isinstance(data, dict) else data:
            _measure(item, depth - 1)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number


class JsonRenderer(JSONRenderer):
    """Also renders nothing as ``null``: an empty body is not JSON."""

    ensure_ascii = False
    compact = True
    strict = True

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"null" if data is None else super().render(data, accepted_media_type, renderer_context)


class JsonOnly(BaseContentNegotiation):
    """There is one representation, so ``Accept`` has nothing to choose from and cannot be refused."""

    def select_parser(self, request: Request, parsers: Sequence[BaseParser]) -> BaseParser | None:  # type: ignore[override]
        sent = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == sent), None)

    def select_renderer(  # type: ignore[override]
        self, request: Request, renderers: Sequence[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], str(renderers[0].media_type)


class OtherNames(serializers.Serializer[Any]):
    """Takes its fields also under the names that other parts of the interface, or vendors, give to the same thing. A
    field's own name wins."""

    other_names: ClassVar[Mapping[str, str]] = {}
    """Other name → the field's own."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            data = {**{own: data[other] for other, own in self.other_names.items() if other in data}, **data}
        return super().to_internal_value(data)


class UtcDateTimeField(serializers.DateTimeField):
    """ISO 8601 in UTC in both directions, whatever format and zone the host has chosen. Without an offset: UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"format": "iso-8601", "input_formats": ["iso-8601"], "default_timezone": UTC, **kwargs})

    def to_internal_value(self, value: Any) -> datetime:
        moment = super().to_internal_value(value)
        # Sums with these dates, and the databases, end where the calendar does.
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            self.fail("overflow")
        return moment


class TrueOrFalseField(serializers.BooleanField):
    """JSON's own booleans. ``"false"`` is a string, and a true one in most languages."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


@extend_schema_field({"type": "object", "additionalProperties": True})
class JsonObjectField(serializers.JSONField):
    """A free-form object that every database can keep."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise serializers.ValidationError(_("Must be an object."))
        if any(not _storable(text) for text in _texts(data)):
            raise serializers.ValidationError(_("Contains characters that cannot be stored."))
        return data


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _storable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)
