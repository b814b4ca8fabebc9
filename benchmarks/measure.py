"""Contenders in separate processes, taking turns."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.contenders import Contender, field, save_weights
from benchmarks.workloads import WORKLOADS, Workload

_ROOT = Path(__file__).parent.parent
_TASKS = ("fit", "fit with accuracy", "predict", "predict_row", "call_row")


class Process:
    """A worker process; a context manager, which ends it.

    Args:
        contender: the contender.
        **arguments: further arguments for ``worker``.
    """

    def __init__(self, contender: Contender, **arguments: Any) -> None:
        whole = {"package": contender.package, "backend": contender.backend, "compiled": contender.compiled}
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed by __exit__)
        started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", json.dumps({**whole, **arguments})],
            env=contender.environment(),
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.answer = self._read()
        self.seconds_to_answer = time.perf_counter() - started

    def _read(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise RuntimeError(f"Expected an answer. Received: {self._errors.read()[-2000:]}")
        return json.loads(line)

    def ask(self, command: str) -> Any:
        """Send a command; return the answer."""
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._read()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()


def _started(contender: Contender, **arguments: Any) -> Process | None:
    """Start a worker; None, and a printed line, if any contender but polykeras fails."""
    try:
        return Process(contender, **arguments)
    except RuntimeError as error:
        if contender.package == "polykeras":
            raise
        print(f"{contender.title} is left out: {error}", flush=True)
        return None


def weights_of(workload: str, folder: str) -> str:
    """Write the weights from which all contenders start; return the path."""
    import polykeras as keras

    path = str(Path(folder) / f"{workload}.npz")
    if not Path(path).exists():
        with keras.backends.use("numpy"):
            keras.utils.set_random_seed(0)
            model = WORKLOADS[workload].model(keras)
            save_weights(path, {layer.name: layer.get_weights() for layer in model.layers if layer.get_weights()})
    return path


def median_ratio(own: list[float], other: list[float]) -> float:
    """The median over rounds of our time divided by theirs."""
    return statistics.median(a / b for a, b in zip(own, other, strict=True))


def train(workload: str, backend: str, rounds: int, folder: str, quick: bool) -> dict:
    """Return the times of all contenders on a workload.

    Returns:
        dict from a contender's title to ``{"fit": [seconds per step, ...], "predict": ..., "losses": ...}``;
        a contender that cannot train its first step is left out, with a printed line.
    """
    weights, chosen = weights_of(workload, folder), WORKLOADS[workload]
    tasks = [task for task in _TASKS if chosen.accuracy or not task.endswith("accuracy")]
    contenders = [c for c in field(backend, quick) if _takes_part(c, workload)]
    processes: dict[str, Process] = {}
    results: dict[str, dict] = {}
    try:
        for contender in contenders:
            process = _started(contender, workload=workload, weights=weights)
            if process is None:
                continue
            processes[contender.title] = process
            results[contender.title] = {task: [] for task in tasks} | {"first step": process.seconds_to_answer}
        for title, process in processes.items():
            results[title]["losses"] = process.ask("losses")
            for task in tasks:
                process.ask(task)
        for _ in range(rounds):
            for title, process in processes.items():
                for task in tasks:
                    results[title][task].append(process.ask(task) / _steps(task, chosen))
    finally:
        for process in processes.values():
            process.__exit__(None, None, None)
    return results


def _steps(task: str, workload: Workload) -> int:
    if task.startswith("fit"):
        return workload.steps * workload.epochs
    return workload.steps if task == "predict" else 1


def _takes_part(contender: Contender, workload: str) -> bool:
    return contender.title != "scikit-learn" or workload in ("small MLP", "large MLP")


def _uncompiled(backend: str, with_keras: bool) -> list[Contender]:
    return [c for c in field(backend, quick=True) if with_keras or c.package != "keras"]


def starts(workload: str, backend: str, rounds: int, folder: str, with_keras: bool) -> dict:
    """Return the seconds from the start of a process to the end of its first step."""
    weights = weights_of(workload, folder)
    results: dict[str, list] = {}
    for _ in range(rounds):
        for contender in _uncompiled(backend, with_keras):
            with Process(contender, workload=workload, weights=weights) as process:
                results.setdefault(contender.title, []).append(process.seconds_to_answer)
    return results


def peaks(workload: str, backend: str, folder: str, with_keras: bool) -> dict:
    """Return the peak memory in MiB of a process that trained three epochs."""
    weights = weights_of(workload, folder)
    results = {}
    for contender in _uncompiled(backend, with_keras):
        with Process(contender, workload=workload, weights=weights) as process:
            for _ in range(3):
                process.ask("fit")
            results[contender.title] = process.ask("peak")
    return results


def script(name: str, libraries: tuple[str, ...], backend: str, rounds: int = 1, **options: Any) -> dict:
    """Return the results of a program in ``scripts``: dict from the contender to medians by name."""
    results: dict[str, list] = {}
    for _ in range(rounds):
        for library in libraries:
            process = _started(Contender(library, backend), script=name, options=options)
            if process is not None:
                with process:
                    results.setdefault(library, []).append(process.answer)
    return {
        library: {key: statistics.median(answer[key] for answer in answers) for key in answers[0]}
        for library, answers in results.items()
    }
