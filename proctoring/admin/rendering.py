"""How foreign and stored data become HTML: escaped, bounded, without secrets, and never as a link of the vendor's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin.utils import display_for_value
from django.template.defaultfilters import truncatechars
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from proctoring.backends import NULL
from proctoring.reviews.redaction import LINK

EMPTY = ""
"""A cell without a value is empty: a dash says no more, and a screen reader reads it out."""
MAX_TEXT = 10_000
"""Characters of foreign text on a page."""

_WORDS = r"(?:secret|passw|token|api.?key|signature|authori[sz]ation|credential|cookie)"
SECRET = re.compile(_WORDS, re.IGNORECASE)
# Every repetition is bounded or ends at its first stranger: the text is foreign, and long.
SECRET_PAIR = re.compile(
    rf"""({_WORDS}[\w.-]{{0,40}}["']?\s{{0,5}}[:=]\s{{0,5}})("[^"\n]*"?|'[^'\n]*'?|[^\s,;&}}]+)""", re.IGNORECASE
)
HIDDEN = "•••"


def without_secrets(value: Any) -> Any:
    """The same data with what looks like a secret, and every link, replaced."""
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if SECRET.search(str(key)) and not isinstance(item, bool) else without_secrets(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return LINK.sub("[link]", value) if isinstance(value, str) else value


def foreign_text(raw: bytes) -> str:
    """A vendor's message for reading: indented where it is JSON, otherwise as it is."""
    try:
        text = pretty(json.loads(raw))
    # Too deep or too long a number is no JSON that anybody wants to read.
    except (ValueError, RecursionError):
        start = raw[: 2 * MAX_TEXT].decode("utf-8", "replace")
        text = SECRET_PAIR.sub(rf"\g<1>{HIDDEN}", LINK.sub("[link]", start))
    return text


def pretty(value: Any) -> str:
    return json.dumps(without_secrets(value), indent=2, ensure_ascii=False, default=str)


def text_block(text: str, *, label: str) -> SafeString:
    """Text in a field that scrolls and cannot be edited: long lines do not widen the page, and nothing is a link."""
    cut = _("Cut off after %d characters.") % MAX_TEXT if len(text) > MAX_TEXT else ""
    return format_html(
        '<textarea readonly rows="{}" cols="100" class="vLargeTextField" aria-label="{}">\n{}</textarea>{}',
        min(24, text.count("\n") + 2),
        label,
        text[:MAX_TEXT],
        format_html('<div class="help">{}</div>', cut) if cut else "",
    )


def short(text: str) -> str:
    return truncatechars(" ".join(text.split()), 80) or EMPTY


def moment(value: Any) -> str:
    """A time as the admin shows it in its lists."""
    return str(display_for_value(value, EMPTY)) if value is not None else EMPTY


def zone_in_words() -> str:
    """For whom it is not their own: said once on a page, not at every time."""
    return _("Times are in this time zone: %s") % timezone.get_current_timezone_name()


def link_to(model: str, pk: int, label: object, *, permitted: bool = True) -> str | SafeString:
    """A link to the admin's page of a row, or just the label for who may not open it."""
    if not permitted:
        return str(label)
    return format_html('<a href="{}">{}</a>', reverse(f"admin:proctoring_{model}_change", args=(pk,)), label)


def link_to_list(model: str, query: Mapping[str, object], label: object, *, permitted: bool = True) -> str | SafeString:
    if not permitted:
        return str(label)
    url = reverse(f"admin:proctoring_{model}_changelist", query=query)
    return format_html('<a href="{}">{}</a>', url, label)


def bullets(rows: Iterable[object]) -> str | SafeString:
    """One row a line. A list by its role: the admin's forms draw ``ul`` far to the right."""
    items = format_html_join("", '<div role="listitem">{}</div>', ((row,) for row in rows))
    return format_html('<div role="list">{}</div>', items) if items else EMPTY


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows under a heading; ``admin/proctoring/_table.html`` draws it. What is not marked safe is escaped there."""

    name: str
    """Of its heading's id, unique on the page."""
    title: str
    headers: Sequence[object]
    rows: Sequence[Sequence[object]]
    empty: str = ""
    """What is said instead of rows."""
    count: str = ""
    """How many there are in all, where that is known without counting them all: "7", "100+"."""
    more: object = ""
    """A link to all of them."""
    notes: Sequence[object] = field(default=())

    @property
    def labelled(self) -> list[list[tuple[object, object]]]:
        """Each cell with its header, for screens that have no room for columns."""
        return [list(zip(self.headers, row, strict=True)) for row in self.rows]


def capped(count: int, limit: int) -> str:
    """A number as it is known after looking at ``limit`` + 1 rows at most."""
    return f"{limit}+" if count > limit else str(count)


def vendor_name(alias: str) -> str:
    """A vendor by its alias. The one that always exists, and is none, has a word for an alias that frightens."""
    return _("no vendor") if alias == NULL else alias


def minutes(seconds: int | None) -> str:
    """A stretch of time for a table."""
    if seconds is None:
        return EMPTY
    sign, rest = ("−", -seconds) if seconds < 0 else ("", seconds)
    return sign + _("%(minutes)d min %(seconds)02d s") % {"minutes": rest // 60, "seconds": rest % 60}


def person(attempt: Any) -> str:
    """The candidate as the LMS calls them, with the name that the vendor was given."""
    username, name = str(attempt.user), attempt.full_name
    return f"{username} ({name})" if name and name != username else username
