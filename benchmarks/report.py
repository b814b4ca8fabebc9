"""Markdown tables of the measurements."""

from __future__ import annotations

import os
import platform
import statistics
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.measure import median_ratio

_OWN = {"polykeras": "", "polykeras, compiled": ", jit_compile=True"}
NATIVE = ("native", "native, compiled", "scikit-learn")
KERAS = ("keras", "keras, compiled")
_PACKAGES = ("polykeras", "keras", "torch", "jax", "tensorflow", "tensorflow-cpu", "numpy", "scikit-learn")


def machine() -> str:
    """Return a line with the processor and the versions."""
    versions = []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    processor = platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores, {processor}, Python {platform.python_version()}; " + ", ".join(versions)


def fill(path: Path, text: str) -> None:
    """Replace the text between the benchmark marks in a file."""
    head, start, rest = path.read_text().partition("<!-- benchmarks -->\n")
    _, end, tail = rest.partition("<!-- end of benchmarks -->\n")
    if not end:
        raise ValueError(f"Expected the two marks of the benchmarks in {path}. Received: a file without.")
    path.write_text(head + start + text + end + tail)


def table(head: list[str], rows: list[list[Any]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def training(results: dict[str, dict]) -> str:
    """Return tables of the steps of ``fit``, of ``predict`` and of single rows.

    Next to the times of polykeras, in each of its settings, are the ratios to the native loop and
    to Keras, each in the better of its own settings.
    """
    fit = {"fit": "`fit`, ms a step", "fit with accuracy": "with accuracy, ms a step"}
    rows = {"predict_row": "a row by `predict`, ms", "call_row": "a row by `model(x)`, ms"}
    return _times(results, fit, with_losses=True) + "\n" + _times(results, {"predict": "`predict`, ms a batch", **rows})


def _times(results: dict[str, dict], tasks: dict[str, str], with_losses: bool = False) -> str:
    rows = []
    for title, contenders in results.items():
        for own, suffix in _OWN.items():
            if own in contenders:
                cells = [cell for task in tasks for cell in _cells(contenders, own, task)]
                rows.append([title + suffix, *cells, *([_agreement(contenders)] if with_losses else [])])
    head = ["", *(name for task in tasks.values() for name in (task, "/ native", "/ Keras"))]
    return table([*head, "losses differ by"] if with_losses else head, rows)


def _cells(contenders: dict, own: str, task: str) -> list[str]:
    times = contenders[own].get(task)
    if times is None:
        return ["", "", ""]
    milliseconds = statistics.median(times) * 1e3
    ratios = (_ratio(times, contenders, task, titles) for titles in (NATIVE, KERAS))
    return [f"{milliseconds:.0f}" if milliseconds >= 100 else f"{milliseconds:.3g}", *ratios]


def _ratio(times: list[float], contenders: dict, task: str, titles: tuple[str, ...]) -> str:
    others = [contenders[title][task] for title in titles if title in contenders]
    return f"{median_ratio(times, min(others, key=statistics.median)):.2f}" if others else ""


def _agreement(contenders: dict) -> str:
    """Return the largest relative difference of the first losses."""
    curves = [result["losses"] for result in contenders.values() if result["losses"]]
    worst = max(abs(a / b - 1) for curve in curves for a, b in zip(curve, curves[0], strict=True))
    return f"{worst:.0e}"


def seconds(results: dict[str, dict], what: str) -> str:
    """Return a table of medians by contender, for start-up times and memory."""
    titles = sorted({title for contenders in results.values() for title in contenders}, key=_place)
    rows = []
    for name, contenders in results.items():
        cells = [contenders.get(title) for title in titles]
        rows.append(
            [name, *("" if x is None else f"{statistics.median(x if isinstance(x, list) else [x]):.2f}" for x in cells)]
        )
    return table([what, *titles], rows)


def _place(title: str) -> tuple:
    return not title.startswith("polykeras"), not title.startswith(("native", "scikit")), title


def scripts(results: dict[str, dict], what: str) -> str:
    """Return a table of results of programs, with a row for each case and library."""
    rows, names = (
        [],
        list(dict.fromkeys(key for case in results.values() for answer in case.values() for key in answer)),
    )
    for case, libraries in results.items():
        for library, answer in libraries.items():
            rows.append([case, library, *(f"{answer[name]:.3g}" if name in answer else "" for name in names)])
    return table([what, "library", *names], rows)
