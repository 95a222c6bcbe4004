"""Metadata of the distribution; tools are configured in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "proctoring/__init__.py").read_text(encoding="utf-8"), re.M)[1]

POSTGRES = ["psycopg[binary,pool]>=3.2"]
MYSQL = ["PyMySQL>=1.1.1"]
REDIS = ["redis>=5.2"]
LTI = ["PyJWT[crypto]>=2.10"]

setup(
    name="django-proctoring",
    version=VERSION,
    description="Proctored and timed exams as a reusable Django app, with pluggable proctoring vendors",
    long_description=(HERE / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=["proctoring", "proctoring.*"]),
    package_data={"proctoring": ["py.typed", "templates/**/*", "static/**/*", "locale/**/*.mo", "locale/**/*.po"]},
    python_requires=">=3.11",
    install_requires=[
        "Django>=5.2",
        "djangorestframework>=3.16",
        "django-simple-history>=3.10",
        "celery>=5.5",
        "jsonfield>=3.2",
        "requests>=2.32",
        "PyJWT[crypto]>=2.10",
        "cryptography>=44",
        "drf-spectacular>=0.28",
        "drf-spectacular-sidecar>=2025.1.1",
        "django-filter>=25.1",
    ],
    extras_require={
        "postgres": POSTGRES,
        "mysql": MYSQL,
        "redis": REDIS,
        "lti": LTI,
        "dev": [*POSTGRES, *MYSQL, *REDIS, *LTI, "pytest>=9", "pytest-django>=4.14", "ruff>=0.17", "mypy>=2.4"],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Web Environment",
        "Framework :: Django",
        "Framework :: Django :: 5.2",
        "Intended Audience :: Developers",
        "Intended Audience :: Education",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Education :: Testing",
        "Typing :: Typed",
    ],
)
