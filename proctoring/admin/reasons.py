"""The forms in which a person says why, with the words and the codes that the API asks for as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any, Self

from django import forms
from django.utils.translation import gettext_lazy as _

from proctoring.attempts.ledger import MAX_SECONDS
from proctoring.invigilation.actions import MAX_COMMENT, MAX_MESSAGE, MAX_MINUTES
from proctoring.logs.reason_codes import REASON_CODES

CATEGORIES = {
    "ENVIRONMENT": _("Room"),
    "EXAMINEE": _("Candidate"),
    "PROCTOR/STAFF": _("Proctor or staff"),
    "TECHNICAL": _("Technology"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Why:
    """What was said in one of these forms."""

    comment: str = ""
    reason_code: int | None = None
    minutes: int = 0
    seconds: int = 0
    risk: Decimal = Decimal(0)
    text: str = ""

    @property
    def reason(self) -> str:
        """The cause before the words, as the history keeps it."""
        return f"{self.reason_code}: {self.comment}" if self.reason_code else self.comment

    @classmethod
    def said(cls, given: Mapping[str, Any]) -> Self:
        return cls(**{name: value for name, value in given.items() if name in cls.__slots__})


def reason_choices() -> list[tuple[Any, Any]]:
    """The catalogue, grouped as it is."""
    groups = groupby(REASON_CODES.values(), key=lambda one: one.category)
    grouped = [
        (CATEGORIES.get(category, category), [(one.code, one.label) for one in ones]) for category, ones in groups
    ]
    return [("", _("Choose …")), *grouped]


def _code(value: str) -> int:
    return int(value)


class ReasonForm(forms.Form):
    """Words alone."""

    required_css_class = "required"
    field_order = ["text", "minutes", "seconds", "reason_code", "comment"]
    comment = forms.CharField(
        label=_("Reason"),
        max_length=MAX_COMMENT,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 40, "class": "vLargeTextField"}),
        help_text=_("It is kept in the history."),
    )


class CodedReasonForm(ReasonForm):
    """Words and one of the known causes."""

    reason_code = forms.TypedChoiceField(label=_("Cause"), choices=reason_choices, coerce=_code)


class RiskForm(ReasonForm):
    """A number alone: a rating is kept with its author, and changes nothing that would need a reason."""

    comment = None  # type: ignore[assignment]  # how a form leaves an inherited field out
    risk = forms.DecimalField(
        label=_("Risk"), min_value=0, max_value=1, max_digits=5, decimal_places=4, help_text=_("0 to 1; 1 is risky.")
    )


class SpokenReasonForm(CodedReasonForm):
    text = forms.CharField(
        label=_("Message"),
        required=False,
        max_length=MAX_MESSAGE,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 40, "class": "vLargeTextField"}),
        help_text=_("The candidate reads it as it stands here, as plain text."),
    )


class ExtensionForm(SpokenReasonForm):
    minutes = forms.IntegerField(label=_("Minutes"), min_value=1, max_value=MAX_MINUTES)


class MessageForm(SpokenReasonForm):
    """Nothing but the text is done."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].required = True


class CorrectionForm(ReasonForm):
    seconds = forms.IntegerField(
        label=_("Seconds"),
        min_value=-MAX_SECONDS,
        max_value=MAX_SECONDS,
        help_text=_("With a minus sign: to take away."),
    )
    reason_code = forms.TypedChoiceField(
        label=_("Cause"), choices=reason_choices, coerce=_code, required=False, empty_value=None
    )

    def clean_seconds(self) -> int:
        seconds: int = self.cleaned_data["seconds"]
        if seconds == 0:
            raise forms.ValidationError(_("Must not be 0."), code="invalid")
        return seconds
