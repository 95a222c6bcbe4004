"""The Celery app of a worker process: what a host writes, with a beat that hurries."""

import os

from celery import Celery

from proctoring.beat import SCHEDULE

app = Celery("house", broker=os.environ["CELERY_BROKER_URL"])
app.conf.update(
    beat_schedule={name: {**entry, "schedule": 1.0} for name, entry in SCHEDULE.items()},
    task_default_queue=os.environ["WORKER_QUEUE"],
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)
app.autodiscover_tasks()
