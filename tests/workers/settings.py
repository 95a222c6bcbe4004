"""``test_settings`` as the tests of the parent process have them at this moment: its database, its vendor."""

import json
import os

from test_settings import *  # noqa: F403
from test_settings import DATABASES, PROCTORING

DATABASES["default"]["NAME"] = os.environ["WORKER_DATABASE"]
PROCTORING.update(json.loads(os.environ["WORKER_PROCTORING"]))
