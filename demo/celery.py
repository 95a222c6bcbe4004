"""The LMS's Celery app, with the periodic tasks of proctoring beside its own."""

from celery import Celery

from proctoring.beat import SCHEDULE

app = Celery("demo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {**SCHEDULE}
# Without it, the threads of a web server would look for a broker of their own.
app.set_default()
