"""Running a training script on each engine in separate processes, to find the step and layer where they diverge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import backends as registry
from polykeras.parity import measures
from polykeras.parity.measures import Difference
from polykeras.parity.report import Cause, Entry, Report

#: Losses and weights of float32 training differ by rounding, weights by more than losses.
_LOOSER = 10.0


def compare_script(
    script: Any,
    arguments: Sequence[str] = (),
    backends: list[str] | None = None,
    against: str | None = None,
    most_steps: int = 1000,
    rtol: float = 1e-5,
    seed: int = 0,
) -> Report:
    """Run an unmodified training script on several engines and compare its steps.

    In the script, ``import keras`` means polykeras. Each ``fit`` and ``train_on_batch`` is observed: the loss and
    each weight after every step.

    Args:
        script: str, path of the script.
        arguments: list of str, its command-line arguments; default none.
        backends: list of names; default None, for all installed ones, NumPy first.
        against: str, ``"keras"`` or, for example, ``"keras:jax"``: include real Keras, with the same weights. Then data
            are not shuffled, since its shuffles differ; its dropout masks differ too. Default None.
        most_steps: int, the maximum number of steps to record.
        rtol: float, allowed relative difference of losses; weights may differ by 10 times as much.
        seed: int, set before the script, which may set another one; default 0.

    Returns:
        A Report with an entry for each loss and each weight after each step.

    Raises:
        RuntimeError: if the script fails, with the end of its output, or does not train.
    """
    names = list(backends) if backends else _numpy_first(registry.available())
    contenders = [(name, "polykeras", name) for name in names]
    if against is not None:
        library, _, engine = against.partition(":")
        if library != "keras":
            raise ValueError(f"Expected against to be 'keras' or 'keras:BACKEND'. Received: {against!r}.")
        engine = engine or next((n for n in names if n != "numpy"), "tensorflow")
        contenders.append((f"keras on {engine}", "keras", engine))
    with tempfile.TemporaryDirectory() as folder:
        runs = {}
        for index, (title, library, engine) in enumerate(contenders):
            settings = {"library": library, "seed": seed, "most_steps": most_steps, "in_order": against is not None}
            settings["results"] = str(Path(folder) / f"{index}.json")
            if against is not None and index == 0:
                settings["write_weights"] = str(Path(folder) / "initial")
            if library == "keras":
                settings["read_weights"] = str(Path(folder) / "initial")
            runs[title] = _run(str(script), list(arguments), engine, settings)
    return _report(runs, rtol)


def _numpy_first(names: list[str]) -> list[str]:
    return [*(n for n in names if n == "numpy"), *(n for n in names if n != "numpy")]


def _run(script: str, arguments: list[str], engine: str, settings: dict) -> dict:
    environment = {**os.environ, "KERAS_BACKEND": engine, "KERAS_VERBOSE": "0"}
    root = str(Path(__file__).parent.parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "polykeras.parity.script_child", json.dumps(settings), script, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.returncode:
        end = "\n".join((result.stdout + result.stderr).strip().splitlines()[-8:])
        raise RuntimeError(f"Expected {script} to run on {engine}. Received: exit status {result.returncode}.\n{end}")
    data = json.loads(Path(settings["results"]).read_text(encoding="utf-8"))
    if not data["losses"]:
        raise RuntimeError(f"Expected {script} to train by fit or train_on_batch. Received: no steps on {engine}.")
    return data


def _report(runs: dict[str, dict], rtol: float) -> Report:
    names = list(runs)
    reference = runs[names[0]]
    report = Report(names, rtol=rtol, losses={name: run["losses"] for name, run in runs.items()})
    lengths = {name: len(run["losses"]) for name, run in runs.items()}
    if len(set(lengths.values())) > 1:
        report.causes.append(Cause("length", f"Another number of steps: {lengths}."))
    for step in range(min(lengths.values())):
        losses = {name: run["losses"][step] for name, run in runs.items()}
        report.entries.append(_entry("loss", "the model", "", "", step + 1, losses, abs(losses[names[0]]), rtol))
        for index, path in enumerate(reference["names"]):
            if any(index >= len(run["summaries"][step]) for run in runs.values()):
                continue
            layer, _, name = path.rpartition("/")
            kind = reference["kinds"][index]
            size = max(reference["summaries"][step][index][0], 1e-30)
            values = {title: run["summaries"][step][index][1] for title, run in runs.items()}
            report.entries.append(_entry("weight", layer, kind, name, step + 1, values, size, _LOOSER * rtol))
    first = report.first
    if first is not None:
        where = "in the loss first" if first.part == "loss" else f"in layer {first.layer!r}, weight {first.name!r}"
        names_apart = [name for name, d in first.differences.items() if d.absolute > first.allowed]
        sentence = f"The runs part at step {first.step}, {where}: {', '.join(names_apart)} from {names[0]}."
        report.causes.insert(0, Cause("parting", sentence, False, first.layer))
    return report


def _entry(
    part: str, layer: str, kind: str, name: str, step: int, values: dict, size: float, tolerance: float
) -> Entry:
    """Return an entry for one number of each contender."""
    titles = list(values)
    expected = values[titles[0]]
    entry = Entry(part, layer, kind, name, step, (), "float32", allowed=tolerance * size)
    for title in titles[1:] or titles:
        gap = abs(values[title] - expected)
        if np.isnan(gap):
            gap = 0.0 if np.isnan(values[title]) and np.isnan(expected) else np.inf
        relative = gap / size if size else 0.0
        ulp = relative / float(np.finfo(np.float32).eps)
        entry.differences[title] = Difference(
            float(gap), float(relative), float(ulp), (), values[title], expected, ("float32", "float32")
        )
    worst = entry.worst[1].absolute
    entry.verdict = measures.verdict(worst, entry.allowed)
    return entry
