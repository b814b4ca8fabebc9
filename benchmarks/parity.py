"""``python -m benchmarks.parity``: a zoo of architectures on all engines, as a table and plots.

For each architecture: whether the weights are the same to the bit, the outputs and gradients of each layer, and the
losses of 100 steps. Writes docs/parity_zoo.md and its plots.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
from pathlib import Path
from typing import Any

from benchmarks.parity_zoo import ZOO
from polykeras import backends, parity

_DOCS = Path(__file__).parent.parent / "docs"
_RESULTS = Path(__file__).parent / "results" / "parity_zoo.json"
_BEGIN = """# A zoo of architectures on all engines

Each architecture is built once for each engine from one seed and trained for {steps} steps of 32 rows, by
`keras.parity.check`. Made by `python -m benchmarks.parity`.

- **weights**: whether the initial weights are equal to the bit.
- **outputs**: the largest difference of any layer's output from NumPy's, in inference or training, relative to the
  largest value there.
- **gradients**: the same of the weights' gradients, where there is more to compare than rounding.
- **curve**: the largest relative difference of the {steps} losses between any engine and NumPy.
- **nearest**: the engine whose outputs are nearest to those of the float64 referee.
- **verdict**: the same; where more than rounding differs, by what rounding alone decides, the kind, and more below.

bfloat16 keeps 8 bits of a number, so that its curve is compared by a coarser tolerance than 1e-5.

{machine}

| architecture | weights | outputs | gradients | curve | nearest | verdict |
| --- | --- | --- | --- | --- | --- | --- |
"""


def measure(name: str, steps: int, names: list[str] | None) -> dict[str, Any]:
    """Return the table row of one architecture, and its loss curves."""
    build, x, y = ZOO[name]()
    report = parity.check(build, x, y, names, steps=steps, verbose=0)
    nearness = report.nearness()
    return {
        "weights": all(entry.verdict == "equal" for entry in report.part("initial weight")),
        "outputs": _worst(report, "output", "training output"),
        "gradients": _worst(report, "gradient", within=True),
        "curve": report.curve_difference(),
        "nearest": min(nearness, key=nearness.get) if nearness else "",
        "verdict": _verdict(report),
        "sentences": report.sentences(),
        "losses": report.losses,
        "seconds": report.seconds,
    }


def _worst(report: Any, *parts: str, within: bool = False) -> float:
    """Return the largest relative difference of some parts; for gradients, without those of pure rounding."""
    entries = [entry for part in parts for entry in report.part(part)]
    found = [
        e.worst[1].relative for e in entries if not within or e.worst[1].relative < 0.5 or e.verdict == "different"
    ]
    return max(found, default=0.0)


def _verdict(report: Any) -> str:
    if not report.is_same:
        return "different"
    kinds = dict.fromkeys(cause.kind for cause in report.causes)
    return f"same; {', '.join(kinds)}" if kinds else "same"


def table(results: dict[str, dict], steps: int) -> str:
    """Return the page."""
    versions = ", ".join(f"{name} {backends.load(name).version()}" for name in backends.available())
    lines = [
        _BEGIN.format(steps=steps, machine=f"{platform.machine()}, Python {platform.python_version()}; {versions}.")
    ]
    for name, row in results.items():
        weights = "equal" if row["weights"] else "differ"
        numbers = " | ".join(f"{row[key]:.0e}" for key in ("outputs", "gradients", "curve"))
        lines.append(f"| {name} | {weights} | {numbers} | {row['nearest']} | {row['verdict']} |\n")
    lines.append("\n![loss curves differ by](parity_zoo.png)\n\n## What rounding decides\n\n")
    for name, row in results.items():
        if row["verdict"] != "same":
            lines.append(f"**{name}**: {' '.join(row['sentences'][1:])}\n\n")
    return "".join(lines)


def draw(results: dict[str, dict], path: Path) -> None:
    """Plot how far apart the loss curves are, step by step."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = 6
    rows = -(-len(results) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(16, 2.1 * rows), sharex=True, sharey=True, squeeze=False)
    for index, (name, row) in enumerate(results.items()):
        panel = axes[index // columns][index % columns]
        reference = row["losses"]["numpy"]
        for engine, curve in row["losses"].items():
            if engine not in ("numpy", "referee"):
                gaps = [abs(a - b) / max(abs(b), 1e-30) for a, b in zip(curve, reference, strict=True)]
                panel.semilogy([max(gap, 1e-9) for gap in gaps], label=engine, linewidth=1)
        panel.axhline(1e-5, color="gray", linestyle=":", linewidth=1)
        panel.set_title(name, fontsize=8)
    axes[0][0].legend(fontsize=6)
    figure.supylabel("relative difference of the loss from NumPy's")
    figure.supxlabel("step")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.parity", description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--backends", help="separated by commas; default all")
    parser.add_argument("--only", nargs="*", choices=list(ZOO), help="some architectures; only prints their results")
    parser.add_argument("--redraw", action="store_true", help="write the page from existing results")
    options = parser.parse_args()
    names = options.backends.split(",") if options.backends else None
    results = json.loads(_RESULTS.read_text()) if _RESULTS.exists() and (options.redraw or options.only) else {}
    for name in () if options.redraw else options.only or ZOO:
        results[name] = row = measure(name, options.steps, names)
        print(f"{name}: {row['verdict']}, curve {row['curve']:.1e}, {row['seconds']:.0f} s", flush=True)
        for sentence in row["sentences"][1:] if row["verdict"] != "same" else ():
            print("   ", sentence, flush=True)
        _RESULTS.parent.mkdir(exist_ok=True)
        _RESULTS.write_text(json.dumps(results) + "\n")
        gc.collect()
    results = {name: results[name] for name in ZOO if name in results}
    _DOCS.mkdir(exist_ok=True)
    (_DOCS / "parity_zoo.md").write_text(table(results, options.steps))
    draw(results, _DOCS / "parity_zoo.png")


if __name__ == "__main__":
    main()
