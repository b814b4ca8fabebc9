"""A chart of training speed: ``python -m benchmarks.chart`` draws it from the results file.

It has a bar for each network and engine: the time of a step of ``fit`` in Keras 3 or in a native loop, as a multiple
of the time in polykeras.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt

from benchmarks.measure import median_ratio
from benchmarks.report import KERAS, NATIVE

_ROOT = Path(__file__).parent.parent
_ENGINES = {"torch": "PyTorch", "jax": "JAX", "tensorflow": "TensorFlow"}
_CONTENDERS = {"Keras 3": KERAS, "native loop": NATIVE}
_COLOURS = ("#c2513c", "#5b7a99")


def ratio(contenders: dict[str, Any], titles: tuple[str, ...]) -> float | None:
    """Return the step time of the fastest contender as a multiple of polykeras's.

    Args:
        contenders: dict from the name of a contender to its times by task.
        titles: names of the contenders to consider.
    """
    own = min((contenders[name]["fit"] for name in ("polykeras", "polykeras, compiled") if name in contenders), key=_m)
    others = [contenders[title]["fit"] for title in titles if title in contenders]
    return 1 / median_ratio(own, min(others, key=_m)) if others else None


def _m(times: list[float]) -> float:
    return statistics.median(times)


def draw(results: dict[str, dict], path: Path) -> None:
    """Draw the chart from the section ``training`` of the results.

    Args:
        results: dict from ``"network: engine"`` to its contenders.
        path: path of an SVG file.
    """
    networks = list(dict.fromkeys(name.partition(": ")[0] for name in results if not name.endswith("numpy")))
    figure, axes = plt.subplots(1, len(_ENGINES), figsize=(10, 3.4), sharey=True)
    for axis, (engine, label) in zip(axes, _ENGINES.items(), strict=True):
        for index, (title, titles) in enumerate(_CONTENDERS.items()):
            widths = [ratio(results[f"{name}: {engine}"], titles) for name in networks]
            positions = [row + 0.4 * index - 0.2 for row in range(len(networks))]
            bars = axis.barh(positions, widths, height=0.38, color=_COLOURS[index], label=title)
            axis.bar_label(bars, fmt="%.2f", fontsize=7, padding=2)
        axis.axvline(1, color="#333333", linewidth=1)
        axis.set_xlim(0, 8.5)
        axis.set_title(label, fontsize=10)
        axis.set_yticks(range(len(networks)), networks, fontsize=8)
        axis.tick_params(axis="x", labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=2, fontsize=8, frameon=False)
    figure.suptitle(
        "Time of a training step, each in the better of its settings; polykeras = 1 (the line), longer is slower",
        fontsize=10,
    )
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    figures = json.loads((_ROOT / "benchmarks/results/results.json").read_text())
    draw(figures["training"], _ROOT / "docs/images/speed.svg")
