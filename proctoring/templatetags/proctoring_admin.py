"""``{% proctoring_overview %}``: what staff see first, on the admin's page of this app."""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()


@register.inclusion_tag("admin/proctoring/overview.html", takes_context=True)
def proctoring_overview(context: template.Context) -> dict[str, Any]:
    # Not above: Django imports every library of tags, also where the admin is not installed.
    from proctoring.admin.overview import overview_for  # noqa: PLC0415

    return {"overview": overview_for(context["request"])}
