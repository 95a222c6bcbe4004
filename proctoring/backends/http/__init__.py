"""HTTP for vendor plugins: deadlines, no redirects, bounded answers, one meaning of statuses. The outbox retries."""

from proctoring.backends.http.client import MAX_ANSWER_BYTES, Answer, HttpClient, TokenSource
from proctoring.backends.http.parsing import MAX_RETRY_AFTER, parse_json, parse_retry_after
from proctoring.backends.http.taming import (
    tame_id,
    tame_lines,
    tame_moment,
    tame_number,
    tame_text,
    tame_tree,
    tame_url,
)

__all__ = [
    "MAX_ANSWER_BYTES",
    "MAX_RETRY_AFTER",
    "Answer",
    "HttpClient",
    "TokenSource",
    "parse_json",
    "parse_retry_after",
    "tame_id",
    "tame_lines",
    "tame_moment",
    "tame_number",
    "tame_text",
    "tame_tree",
    "tame_url",
]
