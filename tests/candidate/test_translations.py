"""German is complete wherever a candidate reads, and the compiled file is the one of the source."""

import ast
import gettext
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.utils.translation import override

from proctoring.attempts.states import Status
from proctoring.candidate.screens import Screen
from proctoring.exams.models import ExamType
from tests.candidate.pages import page_url
from tests.factories import AttemptFactory, ExamFactory

PACKAGE = Path(__file__).resolve().parents[2] / "proctoring"
CATALOGUE = PACKAGE / "locale" / "de" / "LC_MESSAGES" / "django.po"
MODELS = {"models.py"}
"""Their words are names of tables and columns, which staff read in the admin."""
PYTHON = [
    path
    # The script's words are among the pages'. What services refuse reaches candidates as well as staff: all of it.
    for place in ("candidate", "templatetags", "api", "attempts", "monitoring", "invigilation", "privacy")
    for path in sorted((PACKAGE / place).rglob("*.py"))
    if path.name not in MODELS
]
PYTHON += [PACKAGE / "logs" / f"{name}.py" for name in ("candidate_actions", "intake")]
PYTHON += [PACKAGE / "allowances" / f"{name}.py" for name in ("storage", "terms")]
PYTHON += [PACKAGE / "bookings" / "services.py", PACKAGE / "reviews" / "services.py"]
PAGES = [*(PACKAGE / "templates" / "proctoring" / "exam").rglob("*.html")]
PAGES += [*(PACKAGE / "templates" / "proctoring" / "mail").rglob("*.*")]
PAGES += [PACKAGE / "templates" / "proctoring" / name for name in ("base.html", "exam_bar.html", "onboarding.html")]


def said_in_python(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in ("_", "gettext", "gettext_lazy", "ngettext") and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)


def said_in_template(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    for double, single in re.findall(r"""{% translate (?:"([^"]*)"|'([^']*)')""", text):
        yield double or single
    for block in re.findall(r"{% blocktranslate[^%]*%}(.*?){% endblocktranslate %}", text, re.DOTALL):
        yield re.sub(r"{{ (\w+) }}", r"%(\1)s", block)


def translations() -> gettext.GNUTranslations:
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        return gettext.GNUTranslations(file)


@pytest.mark.parametrize("path", [*PYTHON, *PAGES], ids=lambda path: str(path.relative_to(PACKAGE)))
def test_everything_that_a_candidate_reads_is_translated(path: Path) -> None:
    known = translations()._catalog
    said = said_in_python(path) if path.suffix == ".py" else said_in_template(path)
    assert [text for text in said if text not in known and (text, 0) not in known] == []


@pytest.mark.parametrize("word", [*Status, *ExamType, *Screen])
def test_every_status_type_and_heading_is_translated(word: Status | ExamType | Screen) -> None:
    with override("en"):
        english = str(word.label)
    assert english in translations()._catalog


def test_catalogue_has_nothing_fuzzy_and_is_compiled() -> None:
    entries = CATALOGUE.read_text(encoding="utf-8").split("\n\n")[1:]
    assert [entry for entry in entries if ", fuzzy" in entry] == []
    compiled = translations()
    for entry in entries:
        found = re.search(r'^(?:msgctxt (".+")\n)?msgid (".+")\nmsgstr (".+")$', entry, re.MULTILINE)
        if found:
            context, said, german = (json.loads(part) if part else None for part in found.groups())
            known = compiled.gettext(said) if context is None else compiled.pgettext(context, said)
            assert known == german


@pytest.mark.parametrize("status", Status)
def test_page_is_german_for_a_german_browser(page_client: Client, candidate: AbstractUser, status: Status) -> None:
    exam = ExamFactory(name="Klausur")
    AttemptFactory(exam=exam, user=candidate, status=status)
    text = page_client.get(page_url(exam), headers={"Accept-Language": "de"}).content.decode()
    assert '<html lang="de">' in text
    assert "Zum Inhalt springen" in text
    assert " your " not in text.lower()
