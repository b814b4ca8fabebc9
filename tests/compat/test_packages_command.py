"""The command that runs programs of other packages, with two that are made up."""

import json
import os
from pathlib import Path

import pytest

from polykeras.testing import packages

ROOT = Path(__file__).parent.parent.parent
HEAD = '"""Shows {0}."""\nPACKAGE = "{0}"\nENGINES = ("numpy", "torch")\n'
PROGRAMS = {
    "with_good.py": HEAD.format("madeup-good") + "import keras, good\nassert keras.ops.size(good.ones(3)) == 3\n",
    "with_bad.py": HEAD.format("madeup-bad") + "raise ValueError('Expected luck.\\nReceived: none.')\n",
    "with_missing.py": HEAD.format("madeup-missing") + "import missing\n",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(text)
    site = tmp_path / "site"
    for name in ("good", "bad"):
        about = site / f"madeup_{name}-1.2.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: madeup-{name}\nVersion: 1.2\n")
    (site / "good.py").write_text("import keras\nfrom keras.src import backend\nones = keras.ops.ones\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(site)]))
    return tmp_path


def test_programs_pass_fail_or_are_not_installed_and_the_table_says_so(folder, capsys):
    page, data = folder / "page.md", folder / "data.json"
    options = ["--backends", "numpy", "--folder", str(folder), "--markdown", str(page), "--json", str(data)]
    assert packages.main(options) == 1
    assert "missing: madeup-missing is not installed" in capsys.readouterr().out
    results = {entry["package"]: entry for entry in json.loads(data.read_text())}
    assert results["madeup-good"]["failure"] is None and results["madeup-good"]["version"] == "1.2"
    assert results["madeup-bad"]["failure"] == "ValueError: Expected luck. Received: none."
    text = page.read_text()
    assert "| madeup-good 1.2 | Shows madeup-good | passes | – | – | – |" in text
    assert "| madeup-bad 1.2 | Shows madeup-bad | fails | – | – | – |" in text
    assert "- madeup-missing: Shows madeup-missing." in text


def test_a_new_page_keeps_the_section_that_no_command_makes(folder):
    page = folder / "page.md"
    page.write_text("An old table.\n\n## Their own tests\n\nCounted by hand.\n")
    for _ in range(2):
        packages.main(["good", "--backends", "numpy", "--folder", str(folder), "--markdown", str(page)])
    assert page.read_text().endswith("passes | – | – | – |\n\n## Their own tests\n\nCounted by hand.\n")
    assert "An old table" not in page.read_text()


def test_names_choose_programs_and_engines_those_that_a_package_supports(folder, capsys):
    options = ["--folder", str(folder), "--backends", "numpy", "jax"]
    assert packages.main(["good", *options]) == 0
    assert capsys.readouterr().out == "good on numpy: passes\n"
    with pytest.raises(SystemExit):
        packages.main(["nothing", *options])
    assert "Expected names of bad, good," in capsys.readouterr().err
    with pytest.raises(SystemExit):
        packages.main(["--folder", str(folder / "site")])
    assert "Expected a folder of programs with_<use>.py" in capsys.readouterr().err


def test_a_failure_that_keras_shares_is_not_polykerass_to_mend():
    both = packages.Result("p", "1", "use", "with_p.py", "torch", "E: a", True, "E: b")
    assert str(both) == "fails as with Keras" and not both.is_fault
    ours = packages.Result("p", "1", "use", "with_p.py", "torch", "E: a", True, None)
    assert str(ours) == "fails" and ours.is_fault
    theirs = packages.Result("p", "1", "use", "with_p.py", "jax", None, True, "E: b")
    assert str(theirs) == "passes (not with Keras)" and not theirs.is_fault
    another = packages.Result("p", "1", "use", "with_p.py", "torch", "E: a", True, "F: a")
    assert str(another) == "fails otherwise than with Keras" and another.is_fault
    text = packages.table([both, theirs])
    assert "on torch: fails with `E: a`; Keras with `E: b`" in text and "Keras fails with `E: b`" in text


def test_a_table_speaks_of_a_comparison_only_where_there_was_one():
    alone = packages.Result("p", "1", "use", "with_p.py", "torch", None)
    text = " ".join(packages.table([alone]).split())
    assert "not with Keras" in text and "--keras" not in text
    compared = packages.Result("p", "1", "use", "with_p.py", "torch", None, True, None)
    text = " ".join(packages.table([alone, compared]).split())
    assert "to compare, with Keras" in text and "packages --keras --markdown" in text


def test_every_program_of_the_repository_says_what_it_needs():
    uses = packages.find_uses(ROOT / "tests" / "packages")
    assert len(uses) >= 20 and all(set(use.engines) <= set(packages.ENGINES) for use in uses)
