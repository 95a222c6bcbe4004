"""What all pages of the simulator have in common. No script, no inline style."""

from __future__ import annotations

import html
from typing import Any

from proctoring.testing.simulator.messages import Reply

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
STYLE = """
body { font-family: sans-serif; line-height: 1.5; max-width: 42rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1b1b; background: #ffffff; overflow-wrap: anywhere; }
button { font: inherit; padding: 0.6rem 1.2rem; color: #ffffff; background: #0b5394; border: 2px solid #0b5394; }
button:focus-visible, a:focus-visible { outline: 3px solid #b35c00; outline-offset: 2px; }
form { display: inline; } input { font: inherit; width: 6rem; }
table { border-collapse: collapse; } th, td { border: 1px solid #767676; padding: 0.3rem 0.6rem; text-align: left; }
"""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="stylesheet" href="/software/style.css">
</head>
<body><main><h1>{title}</h1>
{content}
</main></body>
</html>
"""


def page(title: str, content: str) -> Reply:
    """``content`` is markup."""
    body = _PAGE.format(title=html.escape(title), content=content)
    return Reply(body=body, content_type="text/html; charset=utf-8", headers=HEADERS)


def text(value: Any) -> str:
    """Anything, as text within markup or an attribute."""
    return html.escape("" if value is None else str(value))


def table(caption: str, heads: list[str], rows: list[list[str]]) -> str:
    """Cells of ``rows`` are markup."""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{text(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def button(action: str, label: str, **fields: str) -> str:
    """A form of one button; ``fields`` are sent along."""
    hidden = "".join(
        f'<input type="hidden" name="{text(name)}" value="{text(value)}">' for name, value in fields.items()
    )
    return f'<form method="post" action="{text(action)}">{hidden}<button type="submit">{text(label)}</button></form>'


def back(path: str) -> Reply:
    """After a button: look at the page again."""
    return Reply(status=303, headers={"Location": path, **HEADERS})
