"""What a scenario stands on: the database that answers, one of its own in it, and a server that takes webhooks."""

from __future__ import annotations

import logging
import os
import re
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django
from django.core.checks.urls import check_url_config
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connection, connections
from django.test.utils import setup_test_environment

STATEMENT = re.compile(r"[\s(]*(SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)


def set_up() -> None:
    """Load Django: on the database that ``PROCTORING_TEST_DATABASE`` names, else on PostgreSQL where that answers."""
    if not os.environ.get("PROCTORING_TEST_DATABASE"):
        os.environ["PROCTORING_TEST_DATABASE"] = "postgres" if _postgres_answers() else "sqlite"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "test_settings")
    django.setup()
    setup_test_environment()


def _postgres_answers() -> bool:
    address = urlsplit(os.environ.get("PROCTORING_TEST_POSTGRES_URL") or "postgresql://127.0.0.1:5432")
    try:
        with closing(socket.create_connection((address.hostname or "127.0.0.1", address.port or 5432), timeout=2)):
            return True
    except OSError:
        return False


@contextmanager
def own_database(name: str) -> Iterator[None]:
    """A database that no test and no other scenario uses, dropped at the end."""
    kept, mine = connection.settings_dict["NAME"], f"bench_{name}_{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        connection.settings_dict["TEST"]["NAME"] = str(Path(folder) / mine) if connection.vendor == "sqlite" else mine
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            yield
        finally:
            _send_others_away()
            connection.creation.destroy_test_db(kept, verbosity=0)


@contextmanager
def counting() -> Iterator[list[str]]:
    """The verbs of the statements that run meanwhile. Django's own log of them keeps 9000 and their texts."""
    verbs: list[str] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if found := STATEMENT.match(sql):
            verbs.append(found[1].upper())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield verbs


def _send_others_away() -> None:
    """PostgreSQL drops no database to which somebody is connected, be it a worker that was killed a moment ago."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    connections.close_all()


@contextmanager
def listening() -> Iterator[str]:
    """The whole site, served by threads of this process on a free port. Yields its address."""
    # As a site does that expects many messages: a new connection to the database costs more than to keep a message.
    connection.settings_dict["CONN_MAX_AGE"] = None
    server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
    server.daemon_threads = True
    server.set_app(get_wsgi_application())
    # Thousands of messages are no news; and a mistake in the site is found now, not with the first of them.
    logging.getLogger("django.server").setLevel(logging.CRITICAL)
    check_url_config(None)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
