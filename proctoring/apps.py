"""The Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProctoringConfig(AppConfig):
    name = "proctoring"
    label = "proctoring"
    verbose_name = _("Proctoring")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect system checks and receivers, nothing else."""
        from proctoring import checks, receivers  # noqa: F401  # Django wants models loaded first
