"""A vendor in a package of its own: settings or an entry point are all it takes, and a broken one harms nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testing.test_writing_a_backend import PLUGIN, first_step, write

ROOT = Path(__file__).resolve().parents[2]

SOURCE = first_step()[PLUGIN]
"""The first plugin of ``docs/writing_a_backend.rst``."""

SETTINGS = """\
import json, os
from test_settings import *
PROCTORING = {**PROCTORING, **json.loads(os.environ["PLUGIN_PROCTORING"])}
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    return write({PLUGIN: SOURCE, "plugin_settings.py": SETTINGS}, tmp_path)


def install(folder: Path, name: str, target: str) -> None:
    """What an installer leaves of an entry point."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[proctoring.backends]\n{name} = {target}\n")


def django(folder: Path, *arguments: str, **proctoring: object) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "plugin_settings",
        "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))),
        "PLUGIN_PROCTORING": json.dumps(proctoring),
    }
    command = [sys.executable, "-m", "django", *arguments]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def backends(**options: object) -> dict[str, object]:
    options = {"base_url": "https://acme.example", **options}
    return {"acme": {"BACKEND": "acme_proctoring.AcmeBackend", "OPTIONS": options}}


def test_the_plugin_has_thirty_lines() -> None:
    assert len([line for line in SOURCE.splitlines() if line.strip()]) <= 30


@pytest.mark.long
def test_settings_alone_are_enough(elsewhere: Path) -> None:
    done = django(elsewhere, "check", BACKENDS=backends(api_key="k"), DEFAULT_BACKEND="acme")
    assert done.returncode == 0, done.stderr
    shell = "from proctoring.backends import backends; print(backends['acme'].verbose_name)"
    done = django(elsewhere, "shell", "--no-imports", "-c", shell, BACKENDS=backends(api_key="k"))
    assert "Acme Proctoring" in done.stdout, done.stderr


@pytest.mark.long
def test_its_own_wrong_options_are_reported_in_its_own_words(elsewhere: Path) -> None:
    done = django(elsewhere, "check", BACKENDS=backends())
    assert done.returncode != 0
    assert "backend 'acme': api_key is empty." in done.stderr
    assert "proctoring.E004" in done.stderr


def test_an_option_that_the_plugin_does_not_know_is_reported(elsewhere: Path) -> None:
    done = django(elsewhere, "check", BACKENDS=backends(api_kee="k"))
    assert "proctoring.E003" in done.stderr
    assert "api_kee" in done.stderr


def test_an_entry_point_is_enough(elsewhere: Path) -> None:
    install(elsewhere, "acme", "acme_proctoring:AcmeBackend")
    done = django(elsewhere, "check")
    assert "backend 'acme': api_key is empty." in done.stderr


def test_a_plugin_that_cannot_be_imported_is_named_and_the_others_go_on(elsewhere: Path) -> None:
    (elsewhere / "ruined.py").write_text("import a_module_that_is_missing\n")
    install(elsewhere, "ruined", "ruined:Backend")
    done = django(elsewhere, "check", BACKENDS=backends(api_key="k"))
    assert "'ruined' cannot be loaded: ModuleNotFoundError: No module named 'a_module_that_is_missing'" in done.stderr
    shell = "from proctoring.backends import backends; print(sorted(backends.broken()), backends['acme'].alias)"
    done = django(elsewhere, "shell", "--no-imports", "-c", shell, BACKENDS=backends(api_key="k"))
    assert "['ruined'] acme" in done.stdout, done.stderr
