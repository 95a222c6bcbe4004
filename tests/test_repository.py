"""What holds for the repository as a whole: its files, its pins, the size of its sources, who knows HTTP."""

import ast
import csv
import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import proctoring

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FILE = 400
# Rooms that hold rules: a request, a response or a status code has no business there.
DOMAIN = [
    "allowances",
    "attempts",
    "bookings",
    "evidence",
    "exams",
    "host",
    "inbox",
    "invigilation",
    "logs",
    "monitoring",
    "outbox",
    "permissions",
    "privacy",
    "reports",
    "reviews",
]
VOCABULARIES = {
    "acs_fields": "label",
    "acs_reason_codes": "reason_code",
    "attempt_statuses": "status",
    "attempt_transitions": "from",
    "booking_log_codes": "code",
    "booking_transitions": "from",
    "candidate_log_actions": "action",
    "candidate_log_columns": "column",
    "event_types": "event_type_id",
    "own_event_types": "type",
}


def sources() -> list[Path]:
    folders = [ROOT / name for name in ("proctoring", "demo", "benchmarks", "tests", "requirements")]
    return sorted(
        [*ROOT.glob("*.py"), *(path for folder in folders for path in folder.rglob("*.py"))],
    )


def runtime_requirements() -> list[Requirement]:
    """What setup.py asks for without an extra, read from its source: an installed copy may be an older one."""
    call = next(
        node
        for node in ast.walk(ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setup"
    )
    value = next(keyword.value for keyword in call.keywords if keyword.arg == "install_requires")
    return [Requirement(text) for text in ast.literal_eval(value)]


def extra_requirements() -> list[Requirement]:
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    lists = [node.value for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.List)]
    return [Requirement(text) for found in lists for text in ast.literal_eval(found)]


def pins(path: Path) -> Iterator[Requirement]:
    """The pinned packages of a requirements file and of those it includes."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            yield from pins(path.parent / line.removeprefix("-r ").strip())
        elif line and not line.startswith("#"):
            yield Requirement(line)


def pinned_versions(name: str) -> dict[str, str]:
    found = pins(ROOT / "requirements" / f"{name}.txt")
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in found}


def test_distribution_and_package_have_the_same_version() -> None:
    assert importlib.metadata.version("django-proctoring") == proctoring.__version__


@pytest.mark.parametrize(
    "name",
    [
        ".ci/run",
        ".importlinter",
        "CHANGELOG.rst",
        "LICENSE",
        "MANIFEST.in",
        "Makefile",
        "README.rst",
        "docs/dependencies.rst",
        "docs/development.rst",
        "docs/index.rst",
        "manage.py",
        "proctoring/py.typed",
        "pyproject.toml",
        "setup.py",
        "test_settings.py",
        "test_urls.py",
    ],
)
def test_repository_has(name: str) -> None:
    assert (ROOT / name).is_file()


def test_licence_is_the_apache_licence_and_says_so_in_the_metadata() -> None:
    assert "Apache License\n                           Version 2.0, January 2004" in (ROOT / "LICENSE").read_text()
    assert importlib.metadata.metadata("django-proctoring")["License-Expression"] == "Apache-2.0"


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.stem)
def test_every_requirement_is_pinned_once_to_one_version(path: Path) -> None:
    versions: dict[str, str] = {}
    for pin in pins(path):
        assert re.fullmatch(r"==[\w.]+", str(pin.specifier)), f"{pin} is not pinned"
        assert versions.setdefault(canonicalize_name(pin.name), str(pin.specifier)) == str(pin.specifier)


@pytest.mark.parametrize("requirement", runtime_requirements(), ids=lambda requirement: requirement.name)
def test_runtime_requirement_is_pinned_within_its_range_and_explained(requirement: Requirement) -> None:
    version = pinned_versions("base")[canonicalize_name(requirement.name)]
    assert Version(version) in requirement.specifier
    assert requirement.name.lower() in (ROOT / "docs" / "dependencies.rst").read_text(encoding="utf-8").lower()


@pytest.mark.parametrize("requirement", extra_requirements(), ids=lambda requirement: requirement.name)
def test_extra_requirement_is_pinned_within_its_range(requirement: Requirement) -> None:
    assert Version(pinned_versions("dev")[canonicalize_name(requirement.name)]) in requirement.specifier


def test_distribution_asks_for_what_setup_says() -> None:
    """A stale installation would make the other tests speak of something else."""
    installed = [Requirement(text) for text in importlib.metadata.requires("django-proctoring") or []]
    without_extra = {(item.name, str(item.specifier)) for item in installed if item.marker is None}
    assert without_extra == {(item.name, str(item.specifier)) for item in runtime_requirements()}


def test_no_source_is_long_without_a_recorded_reason() -> None:
    decision = ROOT / "docs" / "decisions" / "long_files.rst"
    recorded = decision.read_text(encoding="utf-8") if decision.exists() else ""
    long = {
        name: count
        for path in sources()
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
        and (name := str(path.relative_to(ROOT))) not in recorded
        and "/migrations/" not in name
    }
    assert long == {}


def test_domain_does_not_know_http() -> None:
    """The import linter sees other distributions only as a whole, so Django's HTTP is looked for here."""
    guilty = []
    for path in (ROOT / "proctoring").rglob("*.py"):
        room = path.relative_to(ROOT / "proctoring").parts[0].removesuffix(".py")
        if room not in DOMAIN:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = []
            if isinstance(node, ast.ImportFrom):
                modules = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            if any(re.match(r"django\.(http|shortcuts|views)(\.|$)", module) for module in modules):
                guilty.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert guilty == []


@pytest.mark.parametrize("name", sorted(VOCABULARIES))
def test_vocabulary_is_there_and_has_its_key_column(name: str) -> None:
    with (ROOT / "tests" / "catalogues" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert all(row[VOCABULARIES[name]] for row in rows)


def test_settings_of_the_tests_need_nothing_from_the_tests() -> None:
    """Somebody may look at the app from outside with these settings and without this folder."""
    for name in ("test_settings.py", "test_urls.py", "manage.py"):
        assert not re.search(r"^\s*(from|import) tests\b", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
