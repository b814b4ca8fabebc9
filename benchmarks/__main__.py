"""The benchmark command: measures, prints Markdown tables and writes them next to the figures as JSON."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import measure, report
from benchmarks.workloads import WORKLOADS

_ROOT = Path(__file__).parent.parent
_BACKENDS = ("numpy", "torch", "jax", "tensorflow")
_QUICK = ("small MLP",)
_MLPS = ("small MLP", "large MLP")
_ON_PAGE = ("training", "start", "memory", "import", "calls")


def _training(options: argparse.Namespace, folder: str, keep: Callable) -> tuple[dict, str]:
    results = {}
    for name in options.workloads:
        for backend in options.backends:
            if backend == "numpy" and name not in _MLPS:
                continue
            title = f"{name}: {backend}"
            print(title, flush=True)
            results[title] = measure.train(name, backend, options.rounds, folder, options.quick or options.plain)
            keep(results, report.training(results))
    return results, report.training(results)


def _starts(options: argparse.Namespace, folder: str, keep: Callable) -> tuple[dict, str]:
    rounds = 1 if options.quick else 5
    results = {b: measure.starts("small MLP", b, rounds, folder, not options.quick) for b in options.backends}
    return results, report.seconds(results, "start of the process to the end of the first step, s")


def _memory(options: argparse.Namespace, folder: str, keep: Callable) -> tuple[dict, str]:
    results = {b: measure.peaks("large MLP", b, folder, not options.quick) for b in options.backends}
    return results, report.seconds(results, "peak memory of the large MLP, MiB")


def _imports(options: argparse.Namespace, folder: str, keep: Callable) -> tuple[dict, str]:
    results = {"numpy": measure.script("import_only", ("polykeras",), "numpy", 1 if options.quick else 9)}
    if not options.quick:
        results["torch"] = measure.script("import_only", ("polykeras", "keras"), "torch", 3)
    return results, report.scripts(results, "import")


def _depth(options: argparse.Namespace, folder: str, keep: Callable) -> tuple[dict, str]:
    results = {}
    for backend in options.backends:
        libraries = ("polykeras",) if backend == "numpy" or options.quick else ("polykeras", "keras")
        for layers in (10, 100) if options.quick else (10, 100, 1000):
            # A thousand layers take the compilers of JAX and TensorFlow minutes.
            if layers < 1000 or backend in ("numpy", "torch"):
                results[f"{layers} layers: {backend}"] = measure.script("depth", libraries, backend, layers=layers)
    return results, report.scripts(results, "depth")


def _calls(options: argparse.Namespace, folder: str, keep: Callable) -> tuple[dict, str]:
    results = {}
    if "torch" in options.backends:
        libraries = ("polykeras", "native") if options.quick else ("polykeras", "native", "keras")
        results["torch"] = measure.script("layer_calls", libraries, "torch", 1 if options.quick else 5)
    return results, report.scripts(results, "call of a layer, µs")


def _data(options: argparse.Namespace, folder: str, keep: Callable) -> tuple[dict, str]:
    results = {}
    sizes = (30_000,) if options.quick else (1_000, 30_000, 1_000_000)
    streamed = 100_000 if options.quick else 4_000_000
    for backend in options.backends:
        for rows in sizes:
            results[f"{rows:,} rows: {backend}"] = measure.script("rows_in_memory", ("polykeras",), backend, rows=rows)
        for kind in ("generator", "memmap"):
            title = f"{streamed:,} rows, {kind}: {backend}"
            results[title] = measure.script("stream", ("polykeras",), backend, kind=kind, rows=streamed)
    return results, report.scripts(results, "data")


SECTIONS: dict[str, Callable] = {
    "training": _training,
    "start": _starts,
    "memory": _memory,
    "import": _imports,
    "depth": _depth,
    "calls": _calls,
    "data": _data,
}


def main() -> None:
    """Parse the command line, measure, report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer workloads, rounds and contenders")
    parser.add_argument("--plain", action="store_true", help="without torch.compile and jit_compile=True")
    parser.add_argument("--rounds", type=int, help="of each workload; default 5, quick 3")
    parser.add_argument("--backends", nargs="+", default=list(_BACKENDS), choices=_BACKENDS)
    parser.add_argument("--workloads", nargs="+", default=None, choices=list(WORKLOADS))
    parser.add_argument("--sections", nargs="+", default=list(SECTIONS), choices=list(SECTIONS))
    parser.add_argument("--page", action="store_true", help="write the tables to docs/benchmarks.md too")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.workloads = options.workloads or list(_QUICK if options.quick else WORKLOADS)

    measured = f"Medians of {options.rounds} rounds. {report.machine()}\n"
    options.output.mkdir(parents=True, exist_ok=True)
    figures: dict[str, dict] = {}
    texts: dict[str, str] = {}

    def keep(name: str, results: dict, text: str) -> None:
        figures[name], texts[name] = results, text
        (options.output / "results.json").write_text(json.dumps(figures, indent=1))
        (options.output / "results.md").write_text("\n".join([measured, *texts.values()]))

    with tempfile.TemporaryDirectory() as folder:
        for name in options.sections:
            results, text = SECTIONS[name](options, folder, partial(keep, name))
            keep(name, results, text)
            print(text, flush=True)
    if options.page:
        report.fill(
            _ROOT / "docs/benchmarks.md", "\n".join([measured, *(texts[name] for name in _ON_PAGE if name in texts)])
        )


if __name__ == "__main__":
    main()
