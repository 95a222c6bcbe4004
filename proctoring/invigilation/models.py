"""``BulkAction``: what somebody did to many attempts at once, and a ``BulkItem`` for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.db import models
from django.db.models import Count, Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from proctoring.invigilation.actions import Action, Wish, action_choices
from proctoring.permissions import invigilated_courses

if TYPE_CHECKING:
    from proctoring.host import User

COURSE_OF_ITEM = "attempt__exam__course_id"


class Result(models.TextChoices):
    """What became of an item."""

    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")


NOT_REACHED = ""
"""Instead of a result: it is still to come, or its worker was killed before it came."""


def result_choices() -> list[tuple[str, Any]]:
    return Result.choices


class BulkActionQuerySet(models.QuerySet["BulkAction"]):
    def visible_to(self, user: User) -> BulkActionQuerySet:
        """Those that are about the person's own courses alone. What was refused for lack of a right, or not found, is
        about no course; where nothing else is there, the record is for who wanted it."""
        items = BulkItem.objects.filter(bulk=OuterRef("pk"), attempt__isnull=False)
        theirs = invigilated_courses(user, COURSE_OF_ITEM)
        is_theirs = invigilated_courses(user, "exam__course_id") & Q(exam__isnull=False)
        return self.filter(~Exists(items.exclude(theirs)), Q(by=user.pk) | is_theirs | Exists(items.filter(theirs)))

    def counted(self) -> BulkActionQuerySet:
        """With how many items there are, and of each result."""
        return self.annotate(
            n_items=Count("items"),
            n_done=Count("items", filter=Q(items__result=Result.DONE)),
            n_refused=Count("items", filter=Q(items__result=Result.REFUSED)),
        )


class BulkAction(models.Model):
    """Written before the first attempt is touched. Nothing of it is changed afterwards but when it ended, and that it
    was undone."""

    by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    action = models.CharField(_("action"), max_length=20, choices=action_choices)
    exam = models.ForeignKey(
        "proctoring.Exam",
        verbose_name=_("exam"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    """Whose attempts were looked for; null where they were named one by one."""
    filter = models.JSONField(_("filter"), default=dict, blank=True)
    """As it was asked for: ``status``, ``user``, ``search``, ``state``, ``after``."""
    more = models.BigIntegerField(_("more after"), null=True, blank=True)
    """Of a slice that was not the last: the ``after`` of the next one."""
    reason_code = models.PositiveIntegerField(_("cause"))
    comment = models.TextField(_("reason"), blank=True)
    minutes = models.PositiveIntegerField(_("minutes"), null=True, blank=True)
    text = models.TextField(_("text"), blank=True)
    created_at = models.DateTimeField(_("created at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    """Null while it runs, and until somebody goes on where its worker was killed."""
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)
    undone_by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("undone by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    undo_reason_code = models.PositiveIntegerField(_("cause of the undoing"), null=True, blank=True)
    undo_comment = models.TextField(_("reason for the undoing"), blank=True)

    objects = BulkActionQuerySet.as_manager()

    class Meta:
        verbose_name = _("bulk action")
        verbose_name_plural = _("bulk actions")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.get_action_display()} #{self.pk}"

    @property
    def wish(self) -> Wish:
        return Wish(
            action=Action(self.action),
            reason_code=self.reason_code,
            comment=self.comment,
            minutes=self.minutes,
            text=self.text,
        )


class BulkItem(models.Model):
    """One attempt of a bulk action. Its result is written in the transaction of the step, so that it is never said of
    a step that did not happen, nor missing of one that did."""

    bulk = models.ForeignKey(BulkAction, on_delete=models.PROTECT, related_name="items")
    asked = models.BigIntegerField(_("asked for"))
    """The id, as it was named."""
    attempt = models.ForeignKey(
        "proctoring.Attempt",
        verbose_name=_("attempt"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    """Null where the person may not intervene in it, or there is none."""
    result = models.CharField(_("result"), max_length=10, choices=result_choices, blank=True)
    code = models.CharField(_("code"), max_length=50, blank=True)
    detail = models.TextField(_("detail"), blank=True)
    at = models.DateTimeField(_("at"), null=True, blank=True)
    entry = models.ForeignKey("proctoring.TimeEntry", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    """What the step wrote into the ledger."""
    undo_result = models.CharField(_("result of the undoing"), max_length=10, choices=result_choices, blank=True)
    undo_code = models.CharField(_("code of the undoing"), max_length=50, blank=True)
    undo_detail = models.TextField(_("detail of the undoing"), blank=True)

    class Meta:
        verbose_name = _("item of a bulk action")
        verbose_name_plural = _("items of bulk actions")
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.bulk_id}: {self.asked}"
