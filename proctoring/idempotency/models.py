"""``IdempotencyRecord``: what was answered to a request that carried a key."""

from __future__ import annotations

from django.conf import settings as django_settings
from django.db import models


class IdempotencyRecord(models.Model):
    user = models.ForeignKey(django_settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    """SHA-256 over method, path and body: the same key for another request is a mistake."""
    status_code = models.PositiveSmallIntegerField(null=True)
    answer = models.JSONField(null=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "key"), name="proctoring_idempotency_key_once"),)

    def __str__(self) -> str:
        return self.key
