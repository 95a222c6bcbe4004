"""The settings of the demo LMS. For proctoring: the last six apps, the middleware of simple-history, ``PROCTORING``."""

import os
from pathlib import Path
from typing import Any

from demo import place

HERE = place.current()

SECRET_KEY = HERE.key("django")
DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ROOT_URLCONF = "demo.urls"

INSTALLED_APPS = [
    "demo.lms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    # What proctoring needs, and itself.
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
    "proctoring",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "demo.lms.middleware.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).resolve().parent / "templates"],
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

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": HERE.database,
        # Requests and the worker write at the same time: they wait for each other instead of failing.
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "start"
LOGOUT_REDIRECT_URL = "start"
# The demo may run beside another Django site on this machine, and browsers do not keep ports apart.
SESSION_COOKIE_NAME = "demo_session"
CSRF_COOKIE_NAME = "demo_csrf"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
USE_TZ = True
TIME_ZONE = os.environ.get("DEMO_TIME_ZONE") or "UTC"
STATIC_URL = "/static/"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
}

# Mails are kept for the page "Mails" of this LMS.
EMAIL_BACKEND = "demo.lms.mail.KeepingBackend"
DEFAULT_FROM_EMAIL = "lms@example.org"

PROCTORING: dict[str, Any] = {
    "HOST": "demo.lms.host.LmsHost",
    "LMS_HOST": HERE.address,
    "BACKENDS": {
        "simulator": {
            "BACKEND": "proctoring.backends.rest.RestBackend",
            "OPTIONS": {
                "base_url": HERE.simulator_address,
                "client_id": "demo",
                "client_secret": HERE.key("vendor client"),
                "webhook_secrets": [HERE.webhook_secret],
                "live_proctoring": True,
                "booking_max_candidates": 50,
                "booking_ratios": [1, 4, 8],
            },
        },
    },
    "DEFAULT_BACKEND": "simulator",
    # A demo does not wait half a minute for an answer.
    "BOOKING_CHECK_SECONDS": 3,
    "ACCESS_TOKEN_KEYS": [HERE.key("access tokens")],
    "PSEUDONYM_KEYS": [HERE.key("pseudonyms")],
    "ENCRYPTION_KEYS": [HERE.key("encryption")],
}

CELERY_BROKER_URL = "memory://localhost/"
# Looked at ten times a second: what the vendor is owed goes out while the candidate is still looking at the page.
CELERY_BROKER_TRANSPORT_OPTIONS = {"polling_interval": 0.1}
# The worker is a thread of the web server: standard output and the loggers are not its own.
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"short": {"format": "{levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "short"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
