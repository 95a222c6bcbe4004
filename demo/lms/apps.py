"""The Django app."""

from django.apps import AppConfig


class LmsConfig(AppConfig):
    name = "demo.lms"
    label = "lms"
    verbose_name = "Demo LMS"
