"""A report for people: a table in the terminal, HTML in a notebook, plots."""

from __future__ import annotations

import html as escaping
import io
from typing import Any

import numpy as np

from polykeras.core.extras import require
from polykeras.parity.report import Entry, Report

_MOST_ROWS = 60
_STYLES = {"equal": "dim", "within": "", "explained": "yellow", "different": "bold red"}
_COLORS = {"equal": "#888", "within": "inherit", "explained": "#b8860b", "different": "#c00"}
#: Columns that are left out in a narrow terminal.
_LEAST = ("kind", "absolute", "ulp")
_COLUMNS = ("part", "layer", "kind", "weight", "step", "worst on", "absolute", "relative", "ulp", "verdict")


def rows(report: Report) -> list[tuple[str, list[str]]]:
    """Return the verdict and the cells of each row of the table.

    Of the weights and losses of all steps, only the worst of each is shown.
    """
    shown = [entry for entry in report.entries if entry.step is None] + _worst_of_steps(report)
    table = [(entry.verdict, _cells(entry)) for entry in shown]
    if len(table) <= _MOST_ROWS:
        return table
    # In a long table the first rows of each part would say little: keep the most important ones, in order.
    order = sorted(range(len(table)), key=lambda n: (-_gravity(shown[n]), n))[:_MOST_ROWS]
    return [table[n] for n in sorted(order)]


def _gravity(entry: Entry) -> float:
    worst = entry.worst[1].absolute
    return worst / entry.allowed if entry.allowed else worst


def _worst_of_steps(report: Report) -> list[Entry]:
    worst: dict[tuple, Entry] = {}
    for entry in report.entries:
        if entry.step is not None:
            key = entry.part, entry.layer, entry.name
            if key not in worst or _gravity(entry) > _gravity(worst[key]):
                worst[key] = entry
    return list(worst.values())


def _cells(entry: Entry) -> list[str]:
    name, worst = entry.worst
    numbers = ["0"] * 3 if worst.is_zero else [f"{worst.absolute:.1e}", f"{worst.relative:.1e}", f"{worst.ulp:.3g}"]
    step = "" if entry.step is None else str(entry.step)
    return [entry.part, entry.layer, entry.kind, entry.name, step, name, *numbers, entry.verdict]


def renderables(report: Report, width: int = 150) -> list[Any]:
    """Return the table and the sentences for rich, for a given terminal width."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"parity of {', '.join(report.backends)} (reference: {report.reference})")
    kept = [n for n, column in enumerate(_COLUMNS) if width >= 110 or column not in _LEAST]
    for column in (_COLUMNS[n] for n in kept):
        table.add_column(column, justify="right" if column in ("step", "absolute", "relative", "ulp") else "left")
    found = rows(report)
    for verdict, cells in found:
        table.add_row(*[Text(cells[n]) for n in kept], style=_STYLES[verdict])
    hidden = len([e for e in report.entries if e.step is None]) + len(_worst_of_steps(report)) - len(found)
    note = [Text(f"{hidden} rows of smaller differences are not shown.", style="dim")] if hidden > 0 else []
    return [table, *note, *map(Text, report.sentences())]


def text(report: Report) -> str:
    """Return the table and the sentences as plain text."""
    from rich.console import Console

    buffer = io.StringIO()
    console = Console(file=buffer, width=150)
    for item in renderables(report):
        console.print(item, soft_wrap=False)
    return buffer.getvalue().rstrip()


def html(report: Report) -> str:
    """Return the table and the sentences as an HTML fragment."""
    head = "".join(f"<th>{column}</th>" for column in _COLUMNS)
    body = []
    for verdict, cells in rows(report):
        columns = "".join(f"<td>{escaping.escape(cell)}</td>" for cell in cells)
        body.append(f'<tr style="color:{_COLORS[verdict]}">{columns}</tr>')
    sentences = "".join(f"<li>{escaping.escape(sentence)}</li>" for sentence in report.sentences())
    return f"<div><ul>{sentences}</ul><table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"


def page(report: Report) -> str:
    """Return a whole HTML page, with plots if matplotlib is installed."""
    import base64

    picture = ""
    try:
        buffer = io.BytesIO()
        plot(report, buffer)
        data = base64.b64encode(buffer.getvalue()).decode()
        picture = f'<img alt="differences" src="data:image/png;base64,{data}">'
    except ImportError:
        pass
    style = "body{font-family:sans-serif}td,th{padding:2px 8px;text-align:left}table{border-collapse:collapse}"
    title = f"parity of {', '.join(report.backends)}"
    return (
        f"<!doctype html><html><head><meta charset='utf-8'><title>{title}</title><style>{style}</style></head>"
        f"<body><h1>{title}</h1>{html(report)}{picture}</body></html>"
    )


# ------------------------------------------------------------------- pictures


def plot(report: Report, path: Any = None) -> Any:
    """Draw the plots described in ``Report.plot``."""
    require("matplotlib", "charts", "pictures of a parity report")
    figure_class = require("matplotlib.figure", "charts", "pictures of a parity report").Figure
    figure = figure_class(figsize=(15, 4.5), layout="constrained")
    by_layer, by_step, where = figure.subplots(1, 3)
    _draw_layers(by_layer, report)
    _draw_steps(by_step, report)
    _draw_tensor(where, report)
    if path is not None:
        figure.savefig(path, format="png" if hasattr(path, "write") else None)
    return figure


def _draw_layers(axes: Any, report: Report) -> None:
    axes.set_title("difference by layer")
    axes.set_yscale("log")
    axes.set_ylabel(f"relative to {report.reference}")
    outputs = report.part("output") or report.part("training output")
    for name in report.backends[1:]:
        values = [max(entry.differences[name].relative, 1e-9) for entry in outputs]
        axes.plot(values, "o-", markersize=3, label=name)
    labels = [entry.layer for entry in outputs]
    if len(labels) <= 40:
        axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=7)
    for index, entry in enumerate(outputs):
        if entry.verdict == "different":
            axes.axvspan(index - 0.5, index + 0.5, color="red", alpha=0.15)
    _legend(axes)


def _draw_steps(axes: Any, report: Report) -> None:
    axes.set_title("difference by step")
    axes.set_yscale("log")
    axes.set_xlabel("step")
    reference = np.array(report.losses.get(report.reference, []))
    for name in [*report.backends[1:], "referee"]:
        curve = np.array(report.losses.get(name, []))
        if curve.size and curve.size == reference.size:
            gaps = np.abs(curve - reference) / np.maximum(np.abs(reference), 1e-30)
            axes.plot(range(1, curve.size + 1), np.maximum(gaps, 1e-10), label=f"loss, {name}")
    steps = sorted({entry.step for entry in report.part("weight") if entry.step is not None})
    if steps:
        worst = [max(e.worst[1].relative for e in report.part("weight") if e.step == step) for step in steps]
        axes.plot(steps, np.maximum(worst, 1e-10), ":", color="gray", label="weights, the worst")
    _legend(axes)


def _draw_tensor(axes: Any, report: Report) -> None:
    entry = report.first or max(report.entries, key=_gravity, default=None)
    axes.set_title("where in the tensor")
    name = entry.worst[0] if entry is not None else ""
    if entry is None or not {name, report.reference} <= set(report.pairs):
        axes.text(0.5, 0.5, "no difference to show", ha="center", va="center")
        axes.set_axis_off()
        return
    gap = np.abs(report.pairs[name].astype(np.float64) - report.pairs[report.reference].astype(np.float64))
    flat = gap.reshape(-1, gap.shape[-1]) if gap.ndim > 1 else gap.reshape(1, -1)
    image = axes.imshow(np.log10(np.maximum(flat, 1e-12)), aspect="auto", interpolation="nearest")
    axes.figure.colorbar(image, ax=axes, label="log10 of the absolute difference")
    axes.set_xlabel("last axis")
    axes.set_ylabel(f"{entry.layer}: all other axes", fontsize=8)


def _legend(axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8)
