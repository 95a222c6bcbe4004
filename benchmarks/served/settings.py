"""``tests.workers.settings`` behind these addresses, with connections that last, as a server in earnest has them."""

from tests.workers.settings import *  # noqa: F403  # how settings extend others
from tests.workers.settings import DATABASES

DATABASES["default"]["CONN_MAX_AGE"] = None
ROOT_URLCONF = "benchmarks.served.urls"
ALLOWED_HOSTS = ["127.0.0.1"]
DEBUG = False
