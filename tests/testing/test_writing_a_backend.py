"""The plugin of ``docs/writing_a_backend.rst``, followed to the letter."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "writing_a_backend.rst"

PLUGIN = "acme_proctoring/__init__.py"
MESSAGES = "acme_proctoring/messages.py"
SECOND_STEP = "\nMessages\n--------\n"
SECRET = "whsec_YWNtZS1zZWNyZXQtYWNtZS1zZWNyZXQtYWNtZQ=="


def blocks(text: str) -> dict[str, str]:
    """File → code, of each block that says which file it belongs to; what is said later replaces or, at the end, adds.

    Every block of code has to say it.
    """
    block = r"^``(\S+)``(, .+)?:\n\n\.\. code-block:: \w+\n\n((?:    .*\n|\n)+)"
    found = re.findall(block, text, re.MULTILINE)
    assert len(found) == text.count(".. code-block::")
    files: dict[str, str] = {}
    for name, where, code in found:
        before = files.get(name, "") + "\n" if where == ", at the end" else ""
        files[name] = before + textwrap.dedent(code).strip() + "\n"
    return files


def first_step() -> dict[str, str]:
    """The page up to its section about messages."""
    return blocks(DOCUMENT.read_text().partition(SECOND_STEP)[0])


def whole_page() -> dict[str, str]:
    return blocks(DOCUMENT.read_text())


def write(files: dict[str, str], folder: Path) -> Path:
    for name, code in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(code)
    return folder


def lines(code: str) -> int:
    return len([line for line in code.splitlines() if line.strip()])


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Somebody who has read as far as the section about messages."""
    return write(first_step(), tmp_path)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Somebody who has read to the end."""
    return write(whole_page(), tmp_path)


def run(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": f"{package}:{ROOT}", "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=package, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def complaints(package: Path, cls: str, **environment: str) -> str:
    script = textwrap.dedent(
        f"""
        import os
        os.environ.update({environment!r})
        exec(open("settings.py").read())
        from django.utils.module_loading import import_string
        entry = PROCTORING["BACKENDS"][PROCTORING["DEFAULT_BACKEND"]]
        assert entry["BACKEND"] == {cls!r}, entry
        print(list(import_string(entry["BACKEND"])(**entry["OPTIONS"]).check()))
        """
    )
    ended = run(package, "-c", script)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.long
def test_the_plugin_without_messages_passes_the_contract(plain: Path) -> None:
    assert not (plain / MESSAGES).exists()
    ended = run(plain, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "AcmeBackend does not claim receives_webhooks" in ended.stdout
    assert "does not claim registers" not in ended.stdout


@pytest.mark.long
def test_with_messages_both_classes_pass_the_contract(package: Path) -> None:
    ended = run(package, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    skipped = {
        line.split("does not claim ")[1] for line in ended.stdout.splitlines() if "AcmeWithMessages does" in line
    }
    assert "AcmeLive does not claim takes_live_bookings" not in ended.stdout
    unclaimed = {"supports_onboarding", "retires_candidates", "takes_live_bookings", "gives_ratings"}
    assert skipped <= {*unclaimed, "sends_events"}


def test_the_second_step_only_adds() -> None:
    later = whole_page()
    changed = {name for name, code in first_step().items() if not later[name].startswith(code)}
    assert changed == {"settings.py"}


def test_the_example_is_as_small_as_promised() -> None:
    files = whole_page()
    assert lines(files[PLUGIN]) <= 30
    assert lines(files[MESSAGES]) <= 30
    assert lines(files["test_acme_proctoring.py"]) < 15
    assert lines(files["test_acme_messages.py"]) < 15


def test_the_entry_point_names_the_class(package: Path) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["proctoring.backends"]["acme"].partition(":")
    ended = run(package, "-c", f"import {module}; print({module}.{name}().verbose_name)")
    assert ended.stdout.strip() == "Acme Proctoring", ended.stderr


def test_the_settings_pass_the_checks(plain: Path) -> None:
    assert complaints(plain, "acme_proctoring.AcmeBackend", ACME_API_KEY="k" * 20) == "[]"
    assert complaints(plain, "acme_proctoring.AcmeBackend") == "['api_key is empty.']"


def test_the_settings_with_messages_pass_the_checks(package: Path) -> None:
    cls = "acme_proctoring.messages.AcmeWithMessages"
    assert complaints(package, cls, ACME_API_KEY="k" * 20, ACME_WEBHOOK_SECRET=SECRET) == "[]"
    assert complaints(package, cls, ACME_API_KEY="k" * 20).startswith("['webhook secret number 1")
