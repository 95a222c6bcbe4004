"""Allowances as a table (CSV): parsed without a database. What is wrong with a row is said of that row."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext as _

from proctoring.allowances.models import AllowanceKind
from proctoring.allowances.terms import Terms
from proctoring.errors import InvalidInput

COLUMNS = ("user", "exam", "kind", "minutes", "multiplier", "note")
REQUIRED = ("user", "kind")
MAX_BYTES = 1_048_576
MAX_ROWS = 5_000
MAX_NAME = 255


@dataclass(frozen=True, kw_only=True, slots=True)
class TableRow:
    """``terms``, or the ``problem`` with them. ``exam`` is a content id, empty for the whole course."""

    line: int
    user: str
    exam: str
    terms: Terms | None = None
    problem: InvalidInput | None = None


def read_table(raw: bytes) -> list[TableRow]:
    """Comma or semicolon, with or without a byte order mark, columns in any order.

    Raises ``InvalidInput`` (field ``file``) where there is no table: too long, not UTF-8, columns missing or unknown.
    """
    if len(raw) > MAX_BYTES:
        raise _unreadable(_("The file is longer than 1 MB."))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unreadable(_("The file is not text in UTF-8.")) from None
    if "\x00" in text:
        raise _unreadable(_("The file is not text in UTF-8."))
    first_line = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first_line else ",", strict=True)
    rows: list[TableRow] = []
    try:
        names = _columns(next(reader, []))
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(rows) == MAX_ROWS:
                raise _unreadable(_("The file has more than %d rows.") % MAX_ROWS)
            rows.append(_row(reader.line_num, names, cells))
    except csv.Error as wrong:
        raise _unreadable(
            _("Line %(line)d cannot be read: %(why)s") % {"line": reader.line_num, "why": wrong}
        ) from wrong
    if not rows:
        raise _unreadable(_("The file has no rows."))
    return rows


def _unreadable(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, errors={"file": [sentence]})


def _columns(header: list[str]) -> list[str]:
    names = [name.strip().lower() for name in header]
    unknown = [name for name in names if name not in COLUMNS]
    missing = [name for name in REQUIRED if name not in names]
    if unknown or missing or len(set(names)) < len(names):
        raise _unreadable(_("The first line must name the columns: %s.") % ", ".join(COLUMNS))
    return names


def _row(line: int, names: list[str], cells: list[str]) -> TableRow:
    values = {**dict.fromkeys(COLUMNS, ""), **dict(zip(names, (cell.strip() for cell in cells), strict=False))}
    user, exam = values["user"][:MAX_NAME], values["exam"][:MAX_NAME]
    try:
        if len(cells) > len(names):
            raise InvalidInput(errors={"row": [_("More cells than columns.")]})
        terms = _terms(values)
    except InvalidInput as wrong:
        return TableRow(line=line, user=user, exam=exam, problem=wrong)
    return TableRow(line=line, user=user, exam=exam, terms=terms)


def _terms(values: Mapping[str, str]) -> Terms:
    errors: dict[str, list[str]] = {}
    for name in ("user", "exam"):
        if len(values[name]) > MAX_NAME or (name in REQUIRED and not values[name]):
            errors[name] = [_("Must be 1 to %d characters.") % MAX_NAME]
    if values["kind"] not in (possible := [one.value for one in AllowanceKind if one != AllowanceKind.EXEMPTION]):
        errors["kind"] = [_("Must be one of %s.") % ", ".join(possible)]
    minutes = multiplier = None
    if values["minutes"]:
        if values["minutes"].isascii() and values["minutes"].isdigit() and len(values["minutes"]) < 10:
            minutes = int(values["minutes"])
        else:
            errors["minutes"] = [_("Must be a whole number.")]
    if values["multiplier"]:
        try:
            # Spreadsheets of half of the world write a comma.
            multiplier = Decimal(values["multiplier"].replace(",", "."))
        except InvalidOperation:
            errors["multiplier"] = [_("Must be a number.")]
    if errors:
        raise InvalidInput(errors=errors)
    return Terms(kind=AllowanceKind(values["kind"]), minutes=minutes, multiplier=multiplier, note=values["note"])
