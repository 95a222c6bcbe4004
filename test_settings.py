"""A complete host for the tests and for ``manage.py``: what an LMS needs to set, and nothing more.

Not for production: the keys below are public. Which database is used comes from ``PROCTORING_TEST_DATABASE``
(``sqlite``, ``postgres`` or ``mariadb``), its address from ``PROCTORING_TEST_POSTGRES_URL`` and so on.
"""

import os
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent

SECRET_KEY = "for-tests-only-3q8Zt1mVxw0cN6rYbKfUe5LhPjSdGa7o"  # noqa: S105 (public on purpose)
DEBUG = False
ALLOWED_HOSTS = ["*"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
    "proctoring",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
]

ROOT_URLCONF = "test_urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def _server(engine: str, variable: str, default: str, **options: Any) -> dict[str, Any]:
    """A database of this host from an address like ``postgresql://user:password@host:5432/name``.

    The test database is named after the folder of the checkout, so that two checkouts can test at the same time.
    """
    address = urlsplit(os.environ.get(variable) or default)
    name = unquote(address.path.lstrip("/")) or "proctoring"
    return {
        "ENGINE": engine,
        "NAME": name,
        "USER": unquote(address.username or ""),
        "PASSWORD": unquote(address.password or ""),
        "HOST": address.hostname or "",
        "PORT": str(address.port or ""),
        "TEST": {"NAME": f"test_{name}_{zlib.crc32(str(BASE_DIR).encode()):08x}"},
        **options,
    }


def _database(kind: str) -> dict[str, Any]:
    if kind == "postgres":
        return _server(
            "django.db.backends.postgresql",
            "PROCTORING_TEST_POSTGRES_URL",
            "postgresql://postgres@127.0.0.1:5432/proctoring",
            OPTIONS={"connect_timeout": 5},
        )
    if kind == "mariadb":
        import pymysql  # noqa: PLC0415 (an extra, needed for this database alone)

        pymysql.install_as_MySQLdb()
        database = _server(
            "django.db.backends.mysql",
            "PROCTORING_TEST_MARIADB_URL",
            "mysql://root@127.0.0.1:3306/proctoring",
            OPTIONS={"charset": "utf8mb4", "connect_timeout": 5},
        )
        database["TEST"]["CHARSET"] = "utf8mb4"
        return database
    if kind == "sqlite":
        name = os.environ.get("PROCTORING_TEST_SQLITE") or str(BASE_DIR / "test.sqlite3")
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": name,
            "OPTIONS": {
                # A write transaction takes the lock at its beginning and waits for it, instead of failing half-way.
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # Readers and one writer at the same time; a crash of the machine may cost the last commits of a test.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
            },
            # A file, not memory: some tests have a server, a worker and a vendor beside them.
            "TEST": {"NAME": f"{name}-tests"},
        }
    raise ValueError(f"PROCTORING_TEST_DATABASE is {kind!r}: sqlite, postgres or mariadb is possible.")


DATABASES = {"default": _database(os.environ.get("PROCTORING_TEST_DATABASE") or "sqlite")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/proctoring/"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"

# Mails are printed: no mail server is needed to try a command or a worker.
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
}

PROCTORING = {
    "ACCESS_TOKEN_KEYS": ["for-tests-only-access-9vXh2LqTz7RkWm4PbYcD8sNf"],
    "PSEUDONYM_KEYS": ["for-tests-only-pseudonym-5tGj1UeKx3BnVr6HaQwZ"],
    "ENCRYPTION_KEYS": ["for-tests-only-encryption-8mCy4FoSd2JpLi7TuEgX"],
}

# Celery reads its broker from here: no test needs a server unless it names one.
os.environ.setdefault("CELERY_BROKER_URL", "memory://localhost/")
