"""Markdown tables of the measurements."""

from __future__ import annotations

import os
import platform
import statistics
from importlib import metadata
from typing import Any

from benchmarks.measure import median_ratio

_PACKAGES = ("polykeras", "keras", "torch", "jax", "tensorflow", "tensorflow-cpu", "numpy", "scikit-learn")


def machine() -> str:
    """One line on the processor and the versions."""
    versions = []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    processor = platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores, {processor}, Python {platform.python_version()}; " + ", ".join(versions)


def table(head: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def training(results: dict[str, dict]) -> str:
    """Times of polykeras, and its ratios to the native loop and to Keras, each the better of its settings."""
    rows = []
    for title, contenders in results.items():
        own = contenders["polykeras"]
        row = [title, f"{statistics.median(own['fit']) * 1e3:.2f}"]
        for task in ("fit", "predict", "predict_row", "call_row"):
            row.append(_ratio(contenders, task, ("native", "native, compiled", "scikit-learn")))
        row.append(_ratio(contenders, "fit", ("keras", "keras, compiled")))
        rows.append([*row, _ratio(contenders, "predict_row", ("keras", "keras, compiled")), _agreement(contenders)])
    head = ["workload", "fit, ms a step", "fit / native", "predict / native", "one row by predict / native"]
    head += ["one row by call / native", "fit / Keras", "one row by predict / Keras", "losses differ by"]
    return table(head, rows)


def _ratio(contenders: dict, task: str, titles: tuple[str, ...]) -> str:
    others = [contenders[title] for title in titles if title in contenders]
    if not others:
        return ""
    best = min(others, key=lambda result: statistics.median(result[task]))
    return f"{median_ratio(contenders['polykeras'][task], best[task]):.2f}"


def _agreement(contenders: dict) -> str:
    """The largest relative difference of the first losses."""
    curves = [result["losses"] for result in contenders.values() if result["losses"]]
    worst = max(abs(a / b - 1) for curve in curves for a, b in zip(curve, curves[0], strict=True))
    return f"{worst:.0e}"


def seconds(results: dict[str, dict], what: str) -> str:
    """Medians by contender, for start and memory."""
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
    """Figures of programs, a row for each case and library."""
    rows, names = (
        [],
        list(dict.fromkeys(key for case in results.values() for answer in case.values() for key in answer)),
    )
    for case, libraries in results.items():
        for library, answer in libraries.items():
            rows.append([case, library, *(f"{answer[name]:.3g}" if name in answer else "" for name in names)])
    return table([what, "library", *names], rows)
