"""Where the tests find database servers, message brokers and a browser, and whether those answer.

``python -m tests.services rabbitmq redis -- command …`` runs the command when both answer. When one does not, it says
so in one line: that is all (exit 0), except under ``CI=true``, where it is a failure (exit 1).
"""

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable

BROKERS = {
    "rabbitmq": os.environ.get("PROCTORING_TEST_RABBITMQ_URL") or "amqp://guest:guest@127.0.0.1:5672//",
    "redis": os.environ.get("PROCTORING_TEST_REDIS_URL") or "redis://127.0.0.1:6379/15",
}
DATABASES = ("postgres", "mariadb")


def chromium() -> str:
    """The path of the browser; Debian's where nothing else is named."""
    return os.environ.get("PROCTORING_TEST_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"


def ask_database() -> None:
    """Connect to the server, not to a database in it: the tests make their own."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "test_settings"
    from django.db import connection

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Django's advice to applications, of no use to somebody who asks a server
        with connection._nodb_cursor() as cursor:
            cursor.execute("SELECT 1")


def ask_broker(name: str) -> None:
    from kombu import Connection

    with Connection(BROKERS[name], connect_timeout=5) as connection:
        connection.connect()


def ask_chromium() -> None:
    subprocess.run([chromium(), "--version"], check=True, capture_output=True, timeout=30)


PROBES: dict[str, Callable[[], None]] = {
    "postgres": ask_database,
    "mariadb": ask_database,
    "rabbitmq": lambda: ask_broker("rabbitmq"),
    "redis": lambda: ask_broker("redis"),
    "chromium": ask_chromium,
}


def main(arguments: list[str]) -> int:
    names, command = arguments, []
    if "--" in arguments:
        cut = arguments.index("--")
        names, command = arguments[:cut], arguments[cut + 1 :]
    for name in names:
        if name in DATABASES:
            os.environ["PROCTORING_TEST_DATABASE"] = name
        try:
            PROBES[name]()
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            in_ci = os.environ.get("CI") == "true"
            print(f"{name} is missing, {'which CI=true forbids' if in_ci else 'skipped'}: {reason}", flush=True)
            return 1 if in_ci else 0
    if command:
        os.execvp(command[0], command)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
