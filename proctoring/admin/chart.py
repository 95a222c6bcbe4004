"""The day in hours: how many attempts started and ended, as a drawing and in numbers. One statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from proctoring.attempts.models import Attempt

HOUR_WIDTH, BAR_WIDTH = 28, 11
HEIGHT, FLOOR, CEILING = 170, 140, 20
LEFT = 34


@dataclass(frozen=True, kw_only=True, slots=True)
class Hour:
    label: str
    started: int
    ended: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    day: str
    hours: list[Hour]

    @property
    def total(self) -> int:
        return sum(hour.started + hour.ended for hour in self.hours)

    @property
    def sentence(self) -> str:
        return _("%(started)d started, %(ended)d ended.") % {
            "started": sum(hour.started for hour in self.hours),
            "ended": sum(hour.ended for hour in self.hours),
        }

    @property
    def svg(self) -> SafeString:
        return _draw(self)


def chart_of_the_day(rows: QuerySet[Attempt], now: datetime) -> Chart:
    """The day is the one of the person who looks: of the current time zone. It may have 23 or 25 hours."""
    bounds = hours_of_day(now)
    first, last = bounds[0], bounds[-1]
    today = rows.filter(Q(started_at__gte=first, started_at__lt=last) | Q(ended_at__gte=first, ended_at__lt=last))
    pairs = list(pairwise(bounds))
    # Not hours that the database cuts: MariaDB knows no time zones unless somebody filled its tables.
    sums = {
        f"{name}_{number}": Count("pk", filter=Q(**{f"{name}_at__gte": begin, f"{name}_at__lt": end}))
        for name in ("started", "ended")
        for number, (begin, end) in enumerate(pairs)
    }
    found = today.order_by().aggregate(**sums)
    return Chart(
        day=date_format(timezone.localtime(now), "DATE_FORMAT"),
        hours=[
            Hour(
                label=f"{timezone.localtime(begin):%H}",
                started=found[f"started_{number}"],
                ended=found[f"ended_{number}"],
            )
            for number, (begin, _end) in enumerate(pairs)
        ],
    )


def hours_of_day(now: datetime) -> list[datetime]:
    """The beginnings of the hours of the day in the current time zone, and its end."""
    zone = timezone.get_current_timezone()
    day = timezone.localtime(now).date()
    first, last = (
        datetime.combine(one, time.min, tzinfo=zone).astimezone(UTC) for one in (day, day + timedelta(days=1))
    )
    hours = [first]
    while hours[-1] + timedelta(hours=1) < last:
        hours.append(hours[-1] + timedelta(hours=1))
    return [*hours, last]


def _draw(chart: Chart) -> SafeString:
    """Two bars an hour. Started is full, ended is striped: nothing is said by colour alone."""
    most = max(max(hour.started, hour.ended) for hour in chart.hours) or 1
    bars, labels = [], []
    for number, hour in enumerate(chart.hours):
        x = LEFT + number * HOUR_WIDTH
        for offset, kind, count in ((0, "started", hour.started), (BAR_WIDTH + 1, "ended", hour.ended)):
            height = round(count * (FLOOR - CEILING) / most)
            if count:
                # Every bar can be seen, however small beside the highest.
                bars.append((f"p-{kind}", str(x + offset), str(FLOOR - max(height, 2)), str(max(height, 2))))
        if number % 3 == 0:
            labels.append((str(x), hour.label))
    return format_html(
        '<svg class="p-chart" viewBox="0 0 {width} {height}" role="img" aria-labelledby="day-title day-text">'
        '<title id="day-title">{title}</title><desc id="day-text">{text}</desc>'
        '<defs><pattern id="p-stripes" width="5" height="5" patternUnits="userSpaceOnUse"'
        ' patternTransform="rotate(45)"><rect class="p-stripe" width="2.5" height="5"></rect></pattern></defs>'
        '<line class="p-axis" x1="{left}" x2="{width}" y1="{floor}" y2="{floor}"></line>'
        '<text x="0" y="{top}">{most}</text><text x="0" y="{floor}">0</text>{bars}{labels}</svg>'
        '<p class="p-legend"><svg width="14" height="14" aria-hidden="true"><rect class="p-started" width="14"'
        ' height="14"></rect></svg> {started} <svg width="14" height="14" aria-hidden="true"><rect class="p-ended"'
        ' width="14" height="14"></rect></svg> {ended}</p>',
        width=str(LEFT + len(chart.hours) * HOUR_WIDTH),
        height=str(HEIGHT),
        left=str(LEFT),
        floor=str(FLOOR),
        top=str(CEILING + 4),
        most=str(most),
        title=_("Attempts by the hour"),
        text=chart.sentence,
        bars=format_html_join(
            "", f'<rect class="{{}}" x="{{}}" y="{{}}" width="{BAR_WIDTH}" height="{{}}"></rect>', bars
        ),
        labels=format_html_join("", f'<text x="{{}}" y="{HEIGHT - 8}">{{}}</text>', labels),
        started=_("started"),
        ended=_("ended"),
    )
