"""What has been kept long enough goes by itself, unless a legal hold says otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone

from proctoring.conf import settings
from proctoring.privacy.blanking import blank, delete
from proctoring.privacy.certificates import add_counts, make_certificate
from proctoring.privacy.holds import held_rows
from proctoring.privacy.models import CertificateKind, DeletionCertificate
from proctoring.privacy.rule import DataClass, Personal, Rule
from proctoring.privacy.rules import RULES, history_of, label


@dataclass(kw_only=True, slots=True)
class Sweep:
    """One run: go through ``batches()`` as far as there is time, then look at ``counts`` and ``certificate``.

    A run that was stopped, or killed, is gone on with by the next one, and its certificate says what it did.
    """

    now: datetime = field(default_factory=timezone.now)
    dry_run: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    certificate: DeletionCertificate | None = None

    def batches(self) -> Iterator[tuple[str, int]]:
        """Model and rows after each batch of at most 500, each a transaction of its own."""
        for keep in (DataClass.MESSAGES, DataClass.VIDEO_LINKS, DataClass.REVIEWS, DataClass.EVENTS):
            for model, rule in RULES.items():
                fields = {name: personal for name, personal in rule.personal.items() if personal.keep == keep}
                before = self.now - timedelta(days=days_kept(keep))
                if fields:
                    yield from self._model(model, rule, fields, before=before)
                if rule.keep == keep:
                    old = _old(model, rule, before).filter(rule.spent)
                    yield from self._noted(model, delete(old, dry_run=self.dry_run))

    def _model(
        self, model: type[Model], rule: Rule, fields: dict[str, Personal], *, before: datetime
    ) -> Iterator[tuple[str, int]]:
        history = history_of(model)
        if history is not None:
            yield from self._blank(history, _old(history, rule, before), fields)
        yield from self._blank(model, _old(model, rule, before), fields, stamp=rule.stamp, first=rule.first)

    def _blank(
        self, model: type[Model], rows: QuerySet[Any], fields: dict[str, Personal], **more: Any
    ) -> Iterator[tuple[str, int]]:
        yield from self._noted(model, blank(rows, fields, now=self.now, dry_run=self.dry_run, **more))

    def _noted(self, model: type[Model], batches: Iterator[int]) -> Iterator[tuple[str, int]]:
        """Each batch in one transaction with what the certificate says of it."""
        while True:
            with transaction.atomic():
                done = next(batches, None)
                if done:
                    self._note(label(model), done)
            if done is None:
                return
            yield label(model), done

    def _note(self, name: str, rows: int) -> None:
        self.counts[name] += rows
        if self.dry_run:
            return
        if self.certificate is None:
            self.certificate = make_certificate(CertificateKind.RETENTION, counts={name: rows}, now=self.now)
        else:
            add_counts(self.certificate, {name: rows})


def days_kept(keep: DataClass) -> int:
    """How long the settings keep this class of data."""
    return {
        DataClass.MESSAGES: settings.keep_message_bodies_days,
        DataClass.VIDEO_LINKS: settings.keep_video_links_days,
        DataClass.REVIEWS: settings.keep_reviews_days,
        DataClass.EVENTS: settings.keep_events_days,
    }[keep]


def _old(model: type[Model], rule: Rule, before: datetime) -> QuerySet[Any]:
    old = model._base_manager.filter(**{f"{rule.dated}__lt": before})
    return old.exclude(held_rows(rule.attempt))
