"""The Python code in the guides runs, from the top of each page to its end."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
GUIDES = sorted(path for path in (DOCS / "guides").glob("*.md") if "```python" in path.read_text())


def code_of(page):
    """The blocks of Python in a page, with its lines where they are in the page."""
    lines, in_code = [], False
    for line in page.read_text().splitlines():
        if line.startswith("```"):
            in_code, line = line == "```python", ""
        lines.append(line if in_code else "")
    return "\n".join(lines)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_the_code_of_a_guide_runs(page, tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "KERAS_BACKEND": "numpy"}
    environment["PYTHONPATH"] = str(DOCS.parent)
    done = subprocess.run(
        [sys.executable, "-c", code_of(page)], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_guides_link_to_pages_that_are_there():
    made = ("programs/", "api/", "notebooks/")  # by the build, which checks links to them
    for page in [*GUIDES, DOCS / "index.md"]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert any(part in target for part in made) or (page.parent / target).exists(), (page.name, target)


def test_every_page_is_in_a_table_of_contents():
    """Sphinx warns of any other, and warnings fail the build of the site."""
    listed = set()
    for index in (DOCS / "index.md", DOCS / "guides" / "index.md"):
        for block in re.findall(r"```\{toctree\}(.*?)```", index.read_text(), re.DOTALL):
            listed |= {(index.parent / line).resolve() for line in block.splitlines() if line and line[0] not in ":"}
    for page in [*DOCS.glob("*.md"), *(DOCS / "guides").glob("*.md")]:
        assert page == DOCS / "index.md" or page.resolve().with_suffix("") in listed, page
