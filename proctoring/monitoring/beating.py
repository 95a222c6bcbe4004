"""The one statement of a heartbeat: it moves the row of ``Presence`` and answers what the page must know.

It finds the row only where all is as it was: the attempt is this person's and nothing of it was erased, the page is not
lost, its address, the quality of its connection and the exam's interval are the ones that are noted. Whatever else is
the case goes the longer way (``heartbeats.py``). SQL, because no UPDATE of the ORM answers anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connections, router
from django.db.models.expressions import Col

from proctoring.attempts.models import Attempt
from proctoring.conf import settings
from proctoring.exams.models import Exam
from proctoring.logs.streams import Sent
from proctoring.monitoring.models import Command, Presence, milliseconds, patience_ms
from proctoring.monitoring.quality import still_like

UNCERTAIN_MS = 2000

KNOWN = frozenset(
    {"id", "exam_id", "user_id", "open_slot", "status", "started_at", "paused_at", "closes_at", "expires_at"}
)
NEEDED_BY_EVENTS = frozenset({"created_at", "erased_at"})
ATTEMPT_FIELDS = tuple(
    # In the model's order, which is the one that ``from_db`` goes by.
    field.attname
    for field in Attempt._meta.concrete_fields
    if field.attname in KNOWN | NEEDED_BY_EVENTS
)
"""What a heartbeat knows of its attempt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pulse:
    """What a page says of itself with a heartbeat."""

    ip: str | None = None
    user_agent: str = ""
    clock_offset_ms: int = 0
    """So much is its clock ahead of ours."""
    round_trip_ms: int | None = None

    @property
    def uncertainty_ms(self) -> int:
        """By less than this a clock cannot be measured: nobody knows how long a heartbeat waited on its way."""
        return max(UNCERTAIN_MS, self.round_trip_ms or 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a page must know. ``attempt`` may have the fields of ``ATTEMPT_FIELDS`` alone."""

    attempt: Attempt
    clock_offset_ms: int
    """As it is kept: one measure that was long on its way does not move it."""
    interval_seconds: int
    """The exam's, before load stretches it."""
    has_commands: bool
    is_full: bool
    """The events that came along are no longer kept."""
    ordered_from_ms: int
    ordered_after: int
    """As ``Presence`` has it."""


def beat(
    attempt_id: int, user_id: Any, pulse: Pulse, *, now: datetime, stretch: int = 1, sent: Sent | None = None
) -> Seen | None:
    """Move the row; None where something is not as it was. ``sent``: the events that came along.

    One statement, on MySQL two: there, only MariaDB answers what it has written.
    """
    connection = connections[router.db_for_write(Presence)]
    sql, parameters = statement(connection, attempt_id, user_id, pulse, now=now, stretch=stretch, sent=sent)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        if _form(connection) == MYSQL:
            if not cursor.rowcount:
                return None
            cursor.execute(_statements(connection.alias, MYSQL, *_known(pulse, sent))[1], [attempt_id])
        row = cursor.fetchone()
    if row is None:
        return None
    *fields, page_events, ordered_from_ms, ordered_after, clock_offset_ms, interval_seconds, has_commands = (
        read(value) for read, value in zip(_readers(connection.alias), row, strict=True)
    )
    attempt = Attempt.from_db(connection.alias, ATTEMPT_FIELDS, fields)
    return Seen(
        attempt=attempt,
        clock_offset_ms=clock_offset_ms,
        interval_seconds=interval_seconds,
        has_commands=has_commands,
        is_full=page_events - (sent.count if sent else 0) >= settings.page_max_events,
        ordered_from_ms=ordered_from_ms,
        ordered_after=ordered_after,
    )


def statement(
    connection: Any,
    attempt_id: int,
    user_id: Any,
    pulse: Pulse,
    *,
    now: datetime,
    stretch: int = 1,
    sent: Sent | None = None,
) -> tuple[str, list[Any]]:
    """What ``beat`` says to the database, and its parameters."""
    ops, now_ms, form = connection.ops, milliseconds(now), _form(connection)
    written = [
        *(_noted(sent, pulse, now_ms) if sent else ()),
        *(ops.adapt_datetimefield_value(now), now_ms, patience_ms(stretch) // 2, now_ms, patience_ms(stretch)),
        *(pulse.clock_offset_ms, pulse.uncertainty_ms, pulse.clock_offset_ms, pulse.round_trip_ms, pulse.user_agent),
    ]
    user_key = Attempt._meta.get_field("user").get_db_prep_value(user_id, connection)
    sought = [attempt_id, user_key, now_ms]
    if pulse.ip is not None:
        sought.append(ops.adapt_ipaddressfield_value(pulse.ip))
    if pulse.round_trip_ms is not None:
        sought += [quality.value for quality in still_like(pulse.round_trip_ms)]
    sql = _statements(connection.alias, form, *_known(pulse, sent))[0]
    return sql, sought + written if form == MARIADB else written + sought


def _noted(sent: Sent, pulse: Pulse, now_ms: int) -> list[Any]:
    clock = (pulse.clock_offset_ms, pulse.uncertainty_ms, pulse.clock_offset_ms)
    latest = [sent.ends, now_ms + 1, sent.latest_ms, *clock, sent.ends, sent.last_sequence]
    return [sent.begins, sent.begins, *latest, sent.ends, sent.count]


RETURNING, MARIADB, MYSQL = "returning", "mariadb", "mysql"

FOUND = """{found}.attempt_id = %s AND EXISTS (
    SELECT 1 FROM {attempts} a JOIN {exams} e ON e.id = a.exam_id WHERE a.id = {found}.attempt_id
    AND a.user_id = %s AND a.erased_at IS NULL AND e.heartbeat_seconds = {found}.interval_seconds
) AND {found}.lost_at_ms > %s AND {found}.ip {same_address}"""
SAME_QUALITY = " AND {found}.quality IN (%s, %s)"
CLOCK = "CASE WHEN ABS({presence}.clock_offset_ms - %s) <= %s THEN {presence}.clock_offset_ms ELSE %s END"
# ``Presence.note_events``. It stands first, because MySQL and MariaDB read what they have written further left.
NOTED = """ordered_from_ms = CASE WHEN {presence}.stream = %s THEN {presence}.last_at_ms ELSE 0 END,
ordered_after = CASE WHEN {presence}.stream = %s THEN {presence}.last_sequence ELSE 0 END,
last_at_ms = {greatest}(
    CASE WHEN {presence}.stream = %s THEN {presence}.last_at_ms ELSE 0 END, {least}(%s, %s - {clock})
), last_sequence = {greatest}(CASE WHEN {presence}.stream = %s THEN {presence}.last_sequence ELSE 0 END, %s),
stream = %s, page_events = {presence}.page_events + %s, """
WRITTEN = """last_seen_at = %s, late_at_ms = %s + {presence}.interval_seconds * %s,
lost_at_ms = %s + {presence}.interval_seconds * %s, clock_offset_ms = {clock},
round_trip_ms = COALESCE(%s, {presence}.round_trip_ms), user_agent = %s"""
OF_ATTEMPT = "(SELECT a.{name} FROM {attempts} a WHERE a.id = {presence}.attempt_id)"
REST = """{presence}.page_events, {presence}.ordered_from_ms, {presence}.ordered_after, {presence}.clock_offset_ms,
{presence}.interval_seconds,
EXISTS (SELECT 1 FROM {commands} c WHERE c.attempt_id = {presence}.attempt_id AND c.applied_at IS NULL)"""

STATEMENTS = {
    RETURNING: ("UPDATE {presence} SET {written} WHERE {conditions} RETURNING {answer}",),
    # MariaDB answers what an INSERT has written: here of a row as it stands, which is always there already.
    MARIADB: (
        "INSERT INTO {presence} ({columns}) SELECT {own_columns} FROM {presence} {found} WHERE {conditions}"
        " ON DUPLICATE KEY UPDATE {written} RETURNING {answer}",
    ),
    MYSQL: (
        "UPDATE {presence} SET {written} WHERE {conditions}",
        "SELECT {answer} FROM {presence} WHERE {presence}.attempt_id = %s",
    ),
}


def _form(connection: Any) -> str:
    if connection.vendor == "mysql":
        return MARIADB if connection.mysql_is_mariadb else MYSQL
    return RETURNING


def _known(pulse: Pulse, sent: Sent | None) -> tuple[bool, bool, bool]:
    return pulse.ip is not None, pulse.round_trip_ms is not None, sent is not None


@lru_cache
def _statements(alias: str, form: str, knows_address: bool, knows_trip: bool, notes_events: bool) -> tuple[str, ...]:
    quote = connections[alias].ops.quote_name
    models = {"presence": Presence, "attempts": Attempt, "exams": Exam, "commands": Command}
    names = {name: quote(model._meta.db_table) for name, model in models.items()}
    names["found"] = "p" if form == MARIADB else names["presence"]
    sqlite = connections[alias].vendor == "sqlite"
    names |= {"greatest": "MAX", "least": "MIN"} if sqlite else {"greatest": "GREATEST", "least": "LEAST"}
    names["clock"] = CLOCK.format(**names)
    columns = [quote(str(field.column)) for field in Presence._meta.concrete_fields]
    of_attempt = [OF_ATTEMPT.format(name=name, **names) for name in ATTEMPT_FIELDS]
    found = FOUND.format(same_address="= %s" if knows_address else "IS NULL", **names)
    if knows_trip:
        found += SAME_QUALITY.format(**names)
    parts = {
        "conditions": found,
        "written": (NOTED + WRITTEN if notes_events else WRITTEN).format(**names),
        "answer": ", ".join([*of_attempt, REST.format(**names)]),
        "columns": ", ".join(columns),
        "own_columns": ", ".join(f"p.{column}" for column in columns),
    }
    return tuple(statement.format(**parts, **names) for statement in STATEMENTS[form])


@lru_cache
def _readers(alias: str) -> tuple[Any, ...]:
    """How each answered column becomes what the model's field would hold: as the ORM reads it."""
    by_name = {field.attname: field for field in Attempt._meta.concrete_fields}
    fields = [by_name[name] for name in ATTEMPT_FIELDS]
    return (*(_reader(alias, field) for field in fields), *(int,) * 5, bool)


def _reader(alias: str, field: Any) -> Any:
    connection = connections[alias]
    column = Col(Attempt._meta.db_table, field)
    converters = connection.ops.get_db_converters(column) + column.get_db_converters(connection)

    def read(value: Any) -> Any:
        for convert in converters:
            value = convert(value, column, connection)
        return value

    return read
