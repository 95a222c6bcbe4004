"""The forms of bookings: what a planner wishes, and what a step asks for. Times are those of the current time zone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminRadioSelect, AutocompleteSelect
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import ServiceForm
from proctoring.admin.booking_filters import planned_exams
from proctoring.admin.rendering import vendor_name
from proctoring.allowances.people import UnknownPerson, find_people
from proctoring.backends import backends
from proctoring.bookings.models import Booking, Selection
from proctoring.bookings.planning import MAX_CANDIDATES, Wish
from proctoring.conf import settings
from proctoring.errors import UnknownBackend
from proctoring.exams.models import Exam
from proctoring.invigilation.actions import MAX_COMMENT
from proctoring.permissions import may_plan

if TYPE_CHECKING:
    from proctoring.host import User

MAX_MINUTES = 1440
MAX_RATIO = 1000
MAX_NAMES = 500_000
"""Characters."""
SEPARATORS = re.compile(r"[\s,;]+")
ID = re.compile(r"[0-9]{1,18}", re.ASCII)
NAMED = 10
"""So many of the names that nobody has are repeated."""

PLACES = {
    "ratio_not_offered": "ratio",
    "window_too_long": "ends_at",
    "booking_past_leading_time": "starts_at",
    "enrolment_unknown": "who",
    "too_many_candidates": "candidates",
    "backend_takes_no_bookings": "backend",
}
"""Rule → the field in which a planner mends what breaks it; others have none."""


def zone_note() -> str:
    return _("Time zone: %s.") % timezone.get_current_timezone_name()


def moment_field(label: Any) -> forms.DateTimeField:
    """The browser's own calendar: no script is needed."""
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, widget=widget, help_text=gettext_lazy("In your time zone."))


def number_field(label: Any, least: int, most: int, **kwargs: Any) -> forms.IntegerField:
    bounds = [MinValueValidator(least), MaxValueValidator(most)]
    widget = forms.NumberInput(attrs={"min": least, "max": most, "class": "vIntegerField"})
    return forms.IntegerField(label=label, validators=bounds, widget=widget, **kwargs)


def takers_of_bookings() -> list[str]:
    """The configured vendors that take bookings. One that cannot be loaded takes none."""
    found = []
    for alias in backends:
        try:
            takes = backends[alias].takes_live_bookings
        except UnknownBackend:
            continue
        if takes:
            found.append(alias)
    return found


class ExamSelect(AutocompleteSelect):
    """Django's own completion asks the exams' admin, which planners may not enter."""

    url_name = "%s:proctoring_booking_exams"

    @property
    def media(self) -> forms.Media:
        """With what gives the drawn field a name for a screen reader."""
        return super().media + forms.Media(js=("proctoring/admin_labels.js",))


class StepForm(forms.Form):
    """Asks nothing: the button alone."""

    required_css_class = "required"


class CommentForm(StepForm):
    comment = forms.CharField(
        label=gettext_lazy("Comment"),
        max_length=MAX_COMMENT,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 40, "class": "vLargeTextField"}),
        help_text=gettext_lazy("It is kept in the booking log."),
    )


class RemarkForm(CommentForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["comment"].required = False


class WindowForm(StepForm):
    starts_at = moment_field(gettext_lazy("Window opens"))
    ends_at = moment_field(gettext_lazy("Window closes"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("starts_at", "ends_at"):
            self.fields[name].help_text = zone_note()


class DraftForm(WindowForm):
    ratio = number_field(gettext_lazy("Candidates to a proctor"), 1, MAX_RATIO)
    onboarding_minutes = number_field(gettext_lazy("Minutes before the window"), 0, MAX_MINUTES)
    closing_minutes = number_field(gettext_lazy("Minutes after the window"), 0, MAX_MINUTES)


class PlanForm(ServiceForm):
    """``wish`` is what is asked for, once the form is valid."""

    exam = forms.ModelChoiceField(label=gettext_lazy("Exam"), queryset=Exam.objects.none())
    starts_at = moment_field(gettext_lazy("Window opens"))
    ends_at = moment_field(gettext_lazy("Window closes"))
    who = forms.ChoiceField(
        label=gettext_lazy("Candidates"),
        choices=Selection.choices,
        initial=Selection.ENROLLED,
        widget=AdminRadioSelect,
    )
    candidates = forms.CharField(
        label=gettext_lazy("Names"),
        required=False,
        max_length=MAX_NAMES,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 40, "class": "vLargeTextField"}),
        help_text=gettext_lazy(
            "Only where they are named one by one: user names, e-mail addresses or ids, one a line or with commas."
        ),
    )
    ratio = number_field(gettext_lazy("Candidates to a proctor"), 1, MAX_RATIO, initial=4)
    backend = forms.ChoiceField(label=gettext_lazy("Vendor"), required=False)
    onboarding_minutes = number_field(gettext_lazy("Minutes before the window"), 0, MAX_MINUTES, required=False)
    closing_minutes = number_field(gettext_lazy("Minutes after the window"), 0, MAX_MINUTES, required=False)
    wish: Wish | None = None

    class Meta:
        model = Booking
        fields = ("exam", "starts_at", "ends_at", "ratio", "backend", "onboarding_minutes", "closing_minutes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        exams: Any = self.fields["exam"]
        exams.widget = ExamSelect(Booking._meta.get_field("exam"), admin.site)
        exams.queryset = planned_exams(self.request.user)
        self.fields["exam"].help_text = _("Begin to type the name of the exam or of the course.")
        choices: Any = [("", _("The exam’s")), *((alias, vendor_name(alias)) for alias in takers_of_bookings())]
        self.fields["backend"].choices = choices  # type: ignore[attr-defined]  # of a choice field
        for name in ("starts_at", "ends_at"):
            self.fields[name].help_text = zone_note()
        defaults = {
            "onboarding_minutes": settings.booking_onboarding_minutes,
            "closing_minutes": settings.booking_closing_minutes,
        }
        for name, default in defaults.items():
            self.fields[name].help_text = _("Empty: %d.") % default

    def clean_exam(self) -> Exam:
        exam: Exam = self.cleaned_data["exam"]
        if not may_plan(self.request.user, exam.course_id):
            raise ValidationError(_("You do not plan bookings in this course."), code="permission_denied")
        return exam

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        people = self._people(cleaned)
        if not self.errors:
            self.wish = Wish(
                exam=cleaned["exam"],
                starts_at=cleaned["starts_at"],
                ends_at=cleaned["ends_at"],
                ratio=cleaned["ratio"],
                candidates=people,
                backend=cleaned["backend"],
                onboarding_minutes=cleaned["onboarding_minutes"],
                closing_minutes=cleaned["closing_minutes"],
            )
        return cleaned

    def _post_clean(self) -> None:
        """No row is filled and validated: the service makes them, and knows better words than their constraints."""

    def _people(self, cleaned: dict[str, Any]) -> list[int] | None:
        """Primary keys; None: everybody who is enrolled. Nobody is looked up for who may not plan here."""
        names = [name for name in SEPARATORS.split(cleaned.get("candidates", "")) if name]
        if cleaned.get("who") != Selection.LISTED:
            if names:
                sentence = _("Names are given below: choose “%s”, or remove them.") % Selection.LISTED.label
                self.add_error("who", ValidationError(sentence, code="invalid"))
            return None
        if not names:
            self.add_error("candidates", ValidationError(_("Name the candidates."), code="required"))
        if "exam" in self.errors or "candidates" in self.errors:
            return None
        try:
            return named_people(names)
        except ValidationError as unknown:
            self.add_error("candidates", unknown)
        return None


def named_people(names: list[str]) -> list[int]:
    """A user name before an address before an id. Raises ``ValidationError``."""
    if len(names) > MAX_CANDIDATES:
        sentence = _("At most %d candidates can be planned at once.") % MAX_CANDIDATES
        raise ValidationError(sentence, code="too_many_candidates")
    found: dict[Any, User | UnknownPerson] = dict(find_people(names))
    keys = {name: int(name) for name in names if isinstance(found[name], UnknownPerson) and ID.fullmatch(name)}
    by_id = find_people(list(keys.values())) if keys else {}
    found |= {name: by_id[key] for name, key in keys.items()}
    strangers = [name for name in names if isinstance(found[name], UnknownPerson)]
    if strangers:
        sentence = _("Nobody is known by: %s.") % ", ".join(strangers[:NAMED])
        raise ValidationError(sentence, code="user_not_found")
    return list(dict.fromkeys(person.pk for person in found.values() if not isinstance(person, UnknownPerson)))
