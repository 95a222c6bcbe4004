"""A worker without a broker: what beat would start, over and over, until somebody kills the process."""

import time

import django

django.setup()

from proctoring import tasks  # noqa: E402

while True:
    tasks.deliver_due()
    tasks.process_messages()
    tasks.apply_kept_reviews()
    time.sleep(0.02)
