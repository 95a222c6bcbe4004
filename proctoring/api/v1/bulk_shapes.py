"""What ``attempts/actions/`` takes and shows."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from proctoring.api.base import refuse
from proctoring.api.v1.actions import ReasonSerializer
from proctoring.api.v1.allowance_shapes import IdField, PersonNameField
from proctoring.api.v1.representation import PersonSerializer
from proctoring.api.wire import MAX_ID, JsonObjectField, UtcDateTimeField
from proctoring.attempts.states import Status
from proctoring.invigilation.actions import MAX_MESSAGE, MAX_MINUTES, SPEAKING, Action
from proctoring.invigilation.choosing import MAX_ATTEMPTS
from proctoring.invigilation.models import NOT_REACHED, BulkAction, BulkItem, Result
from proctoring.monitoring.quality import State

UNKNOWN = "unknown"
"""How an item reads that has no result."""

RESULTS = (*Result.values, UNKNOWN)

MORE = "Where the filter finds others beyond this slice: the `after` that finds them. Null where none is left."


class AfterField(IdField):
    """Zero too, so that the first slice is asked for like the others."""

    def __init__(self, **kwargs: Any) -> None:
        serializers.IntegerField.__init__(self, min_value=0, max_value=MAX_ID, **kwargs)


class CriteriaSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=Status.choices, required=False)
    user = PersonNameField(required=False)
    search = serializers.CharField(required=False, max_length=255)
    state = serializers.ChoiceField(choices=State.choices, required=False)
    after = AfterField(required=False)

    def to_internal_value(self, data: Any) -> Any:
        # A misspelt criterion that is silently left out would find everybody.
        if isinstance(data, dict) and (strange := sorted(map(str, set(data) - set(self.fields)))):
            refuse({strange[0]: str(_("There is no such criterion."))})
        return super().to_internal_value(data)


class ExamsAttemptsSerializer(serializers.Serializer[Any]):
    exam = IdField()
    filter = CriteriaSerializer(required=False)


_ID = {"type": "integer", "minimum": 1, "maximum": MAX_ID}


@extend_schema_field(
    {
        "oneOf": [
            {"type": "array", "items": _ID, "minItems": 1, "maxItems": MAX_ATTEMPTS},
            {
                "type": "object",
                "required": ["exam"],
                "properties": {
                    "exam": _ID,
                    "filter": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            "status": {"type": "string", "enum": Status.values},
                            "user": {"oneOf": [{"type": "integer"}, {"type": "string", "minLength": 1}]},
                            "search": {"type": "string", "minLength": 1, "maxLength": 255},
                            "state": {"type": "string", "enum": State.values},
                            "after": {
                                "type": "integer",
                                "minimum": 0,
                                "maximum": MAX_ID,
                                "description": f"The first {MAX_ATTEMPTS} above this id, 0 to begin with; `more` of "
                                "the answer is the `after` of the next call.",
                            },
                        },
                    },
                },
            },
        ]
    }
)
class AttemptsField(serializers.Field[Any, Any, Any, Any]):
    """A list of ids, or an exam's attempts that a filter finds."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, list):
            named = serializers.ListField(child=IdField(), min_length=1, max_length=MAX_ATTEMPTS)
            return named.run_validation(data)
        return ExamsAttemptsSerializer().run_validation(data)

    def to_representation(self, value: Any) -> Any:
        return value


class TargetSerializer(serializers.Serializer[Any]):
    attempts = AttemptsField()


class BulkWishSerializer(ReasonSerializer):
    """`minutes` belongs to `extend`, `text` to `message`; it may also go with `pause`, `resume`, `extend` and
    `terminate`."""

    attempts = AttemptsField()
    action = serializers.ChoiceField(choices=Action.choices)
    minutes = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=MAX_MINUTES)
    text = serializers.CharField(required=False, allow_blank=True, max_length=MAX_MESSAGE)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name, action in (("minutes", Action.EXTEND), ("text", Action.MESSAGE)):
            if attrs["action"] == action and not attrs.get(name):
                refuse({name: str(_("This action needs it."))})
        if attrs["action"] != Action.EXTEND:
            attrs.pop("minutes", None)
        if attrs["action"] not in SPEAKING:
            attrs.pop("text", None)
        return attrs


class ItemSerializer(serializers.Serializer[Any]):
    """`unknown`: it has not been this attempt's turn, or nobody lived to see what came of it."""

    attempt = serializers.IntegerField()
    result = serializers.ChoiceField(choices=RESULTS)
    code = serializers.CharField(help_text="Why it was refused.")
    detail = serializers.CharField()

    optional_in_answers = ("code", "detail")


class BulkActionAnswerSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    results = ItemSerializer(many=True)
    done = serializers.IntegerField()
    refused = serializers.IntegerField()
    more = serializers.IntegerField(allow_null=True, help_text=MORE)


class BulkActionSerializer(serializers.Serializer[Any]):
    """`exam` and `filter` as they were asked for; `exam` is null where attempts were named one by one. `finished_at` is
    null while it runs."""

    id = serializers.IntegerField()
    action = serializers.ChoiceField(choices=Action.choices)
    by = PersonSerializer(allow_null=True)
    exam = serializers.IntegerField(source="exam_id", allow_null=True)
    filter = JsonObjectField()
    more = serializers.IntegerField(allow_null=True, help_text=MORE)
    reason_code = serializers.IntegerField()
    comment = serializers.CharField()
    minutes = serializers.IntegerField(allow_null=True)
    text = serializers.CharField()
    attempts = serializers.IntegerField(source="n_items", help_text="How many it was about.")
    done = serializers.IntegerField(source="n_done")
    refused = serializers.IntegerField(source="n_refused")
    created_at = UtcDateTimeField()
    finished_at = UtcDateTimeField(allow_null=True)
    undone_at = UtcDateTimeField(allow_null=True)
    undone_by = PersonSerializer(allow_null=True)
    undo_reason_code = serializers.IntegerField(allow_null=True)
    undo_comment = serializers.CharField()


class BulkDetailSerializer(BulkActionSerializer):
    __doc__ = BulkActionSerializer.__doc__

    results = serializers.SerializerMethodField()
    undo_results = serializers.SerializerMethodField()

    @extend_schema_field(ItemSerializer(many=True))
    def get_results(self, bulk: BulkAction) -> list[dict[str, Any]]:
        return [item_row(item) for item in bulk.items.all()]

    @extend_schema_field(ItemSerializer(many=True))
    def get_undo_results(self, bulk: BulkAction) -> list[dict[str, Any]]:
        return undo_rows(bulk)


def item_row(item: BulkItem, prefix: str = "") -> dict[str, Any]:
    result, code = getattr(item, f"{prefix}result"), getattr(item, f"{prefix}code")
    row = {"attempt": item.asked, "result": UNKNOWN if result == NOT_REACHED else result}
    return row | ({"code": code, "detail": getattr(item, f"{prefix}detail")} if code else {})


def undo_rows(bulk: BulkAction) -> list[dict[str, Any]]:
    """Of what had been done, and nothing before somebody wanted it undone."""
    if bulk.undone_at is None:
        return []
    return [item_row(item, "undo_") for item in bulk.items.all() if item.result == Result.DONE]


def answer_of(bulk: BulkAction, rows: list[dict[str, Any]]) -> dict[str, Any]:
    counts = {result: sum(row["result"] == result for row in rows) for result in Result.values}
    return {"id": bulk.pk, "results": rows, **counts, "more": bulk.more}
