"""What the document tells an LMS to write is what the demo has written, and the demo uses nothing else of ours."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "mounting.rst").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^\d\. (\w+)\n-+\n(.*?)(?=^\d\. |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))
FILES = {
    "Settings": ["demo/settings.py"],
    "Addresses": ["demo/urls.py"],
    "Celery": ["demo/celery.py"],
    "Host": ["demo/lms/host.py"],
    "Exams": ["demo/lms/filling.py"],
    "Questions": [
        "demo/lms/views.py",
        "demo/lms/templates/lms/questions.html",
        "demo/lms/templates/lms/course.html",
    ],
}
PUBLIC = {
    "proctoring.attempts.access",
    "proctoring.attempts.reporting",
    "proctoring.attempts.schedule",
    "proctoring.beat",
    "proctoring.host",
    "proctoring.models",
}


def lines_of_code(text: str) -> list[str]:
    blocks = re.findall(r"^\.\. code-block:: \w+\n\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_document_has_these_sections() -> None:
    assert list(SECTIONS) == list(FILES)
    assert all(lines_of_code(text) for text in SECTIONS.values())


@pytest.mark.parametrize("section", FILES)
def test_each_line_of_the_document_is_in_the_demo(section: str) -> None:
    written = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in FILES[section])
    assert [line for line in lines_of_code(SECTIONS[section]) if line not in written] == []


def test_demo_uses_only_what_an_lms_may_use() -> None:
    used = set()
    for path in (ROOT / "demo").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "proctoring":
                used.add(node.module)
    assert used <= PUBLIC
