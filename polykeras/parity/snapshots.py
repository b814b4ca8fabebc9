"""Outputs and loss curves in a small file, to compare an engine with itself over time or on another machine."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.parity.report import ParityError, Report

_MOST_VALUES = 64


class Snapshots:
    """The content of the file that ``--parity-record`` writes and ``--parity-check`` reads, by test and backend.

    >>> Snapshots().entries
    {}
    """

    def __init__(self, entries: dict[str, dict] | None = None, machine: dict | None = None) -> None:
        self.entries = {} if entries is None else entries
        self.machine = machine or {}

    @classmethod
    def read(cls, path: Any) -> Snapshots:
        """Read snapshots from a file.

        Raises:
            ValueError: if there is no such file, or it contains something else.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(data["snapshots"], data["machine"])
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(
                f"Expected {str(path)!r} to be a file that --parity-record wrote. Received: {error}."
            ) from None

    def write(self, path: Any) -> None:
        """Write the snapshots, replacing those of the same tests in the file."""
        path = Path(path)
        before = Snapshots.read(path).entries if path.exists() else {}
        data = {"machine": _machine(), "snapshots": before | self.entries}
        path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def add(self, name: str, report: Report) -> None:
        """Store the outputs and losses of a report."""
        for backend, snapshot in _snapshots(report).items():
            self.entries[f"{name} on {backend}"] = snapshot

    def compare(self, name: str, report: Report) -> None:
        """Compare a report with the stored snapshots.

        Raises:
            ParityError: if it differs; the message names the test, the backend, and both versions.
        """
        __tracebackhide__ = True
        for backend, snapshot in _snapshots(report).items():
            key = f"{name} on {backend}"
            kept = self.entries.get(key)
            if kept is None:
                raise ParityError(
                    f"Expected a snapshot of {key!r}. Received: a file with {len(self.entries)} others. "
                    f"Record it with --parity-record.",
                    report,
                )
            for part in ("outputs", "losses"):
                _compare(key, part, kept, snapshot, report)


def _compare(key: str, part: str, kept: dict, now: dict, report: Report) -> None:
    __tracebackhide__ = True
    then, updated = np.asarray(kept[part], np.float64), np.asarray(now[part], np.float64)
    gap = np.inf if then.shape != updated.shape else np.max(np.abs(then - updated), initial=0.0)
    size = np.max(np.abs(then), initial=1e-30)
    if gap > report.atol + report.rtol * size:
        index = 0 if then.shape != updated.shape else int(np.argmax(np.abs(then - updated)))
        values = "other shapes" if then.shape != updated.shape else f"{updated[index]!r}, then {then[index]!r}"
        raise ParityError(
            f"Expected the {part} of {key!r} as in the snapshot, which {kept['version']} made. Received with "
            f"{now['version']}: number {index} is {values}; relative {gap / size:.1e}, allowed {report.rtol:.1e}.",
            report,
        )


def _snapshots(report: Report) -> dict[str, dict]:
    result = {}
    for backend in report.backends:
        output = np.asarray(report.outputs.get(backend, ()), np.float64).ravel()
        indices = np.unique(np.linspace(0, max(output.size - 1, 0), _MOST_VALUES).astype(int))
        result[backend] = {
            "outputs": [float(output[n]) for n in indices] if output.size else [],
            "losses": report.losses.get(backend, []),
            "version": f"{backend} {backends.load(backend).version()}",
        }
    return result


def _machine() -> dict[str, str]:
    return {"machine": platform.machine(), "system": platform.system(), "python": platform.python_version()}
