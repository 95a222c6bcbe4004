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


def blocks() -> dict[str, str]:
    """Caption → code of each block of the document."""
    block = r"^``(\S+)``:\n\n\.\. code-block:: \w+\n\n((?:    .*\n|\n)+)"
    found = re.findall(block, DOCUMENT.read_text(), re.MULTILINE)
    return {caption: textwrap.dedent(code).strip() + "\n" for caption, code in found}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, code in blocks().items():
        (tmp_path / name).write_text(code)
    return tmp_path


def run(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": f"{package}:{ROOT}", "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=package, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def test_the_example_passes_the_contract(package: Path) -> None:
    ended = run(package, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "failed" not in ended.stdout


def test_the_example_is_as_small_as_promised(package: Path) -> None:
    lines = [line for line in (package / "acme_proctoring.py").read_text().splitlines() if line.strip()]
    assert len(lines) < 50
    test = [line for line in (package / "test_acme_proctoring.py").read_text().splitlines() if line.strip()]
    assert len(test) < 15


def test_the_entry_point_names_the_class(package: Path) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["proctoring.backends"]["acme"].partition(":")
    ended = run(package, "-c", f"import {module}; print({module}.{name}().verbose_name)")
    assert ended.stdout.strip() == "Acme Proctoring", ended.stderr


def test_the_settings_of_the_example_pass_the_checks(package: Path) -> None:
    script = textwrap.dedent(
        """
        import os
        os.environ.update(ACME_API_KEY="k" * 20, ACME_WEBHOOK_SECRET="whsec_YWNtZS1zZWNyZXQtYWNtZS1zZWNyZXQtYWNtZQ==")
        exec(open("settings.py").read())
        from acme_proctoring import AcmeBackend
        options = PROCTORING["BACKENDS"]["acme"]["OPTIONS"]
        print(list(AcmeBackend(**options).check()), list(AcmeBackend(**options | {"webhook_secret": ""}).check()))
        """
    )
    ended = run(package, "-c", script)
    assert ended.stdout.startswith("[] ['webhook secret number 1"), ended.stdout + ended.stderr
