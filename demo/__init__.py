"""A small LMS that mounts ``proctoring`` the way any LMS would: settings, one include, one ``Host``. For trying out."""

from demo.celery import app as celery_app

__all__ = ["celery_app"]
