"""Displaying the contents of a model file."""

from __future__ import annotations

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from polykeras.saving.inspection import Report, inspect


def print_inspection(path: str) -> int:
    """Print the contents of a model file: layers, arrays and versions, what it needs, and what is unsafe in it.

    Args:
        path: str, path of the file.

    Returns:
        0, or 1 if the file is damaged or contains something that could do harm.
    """
    report = inspect(path)
    console = Console()
    console.print(Text(f"{report.path.name}: {report.kind}", "bold"), soft_wrap=True)
    for name, value in report.facts.items():
        console.print(Text(f"  {name}: {value}"), soft_wrap=True)
    if report.layers:
        console.print(_layer_table(report))
    if report.arrays:
        console.print(_array_table(report))
    _print_list(console, "To be registered, or passed as custom_objects, before loading:", report.needs, "yellow")
    _print_list(console, "Unsafe or damaged:", report.dangers, "bold red")
    if not report.dangers:
        console.print(Text("Nothing unsafe was found.", "green"))
    return 1 if report.dangers else 0


def _layer_table(report: Report) -> Table:
    table = Table("layer", "class", "settings", "inputs")
    for layer in report.layers:
        table.add_row(*map(Text, ("  " * layer.depth + layer.name, layer.kind, layer.settings, layer.inputs)))
    return table


def _array_table(report: Report) -> Table:
    table = Table(
        Column("array", overflow="fold"), "shape", "dtype", Column("bytes", justify="right"), show_footer=True
    )
    for array in report.arrays:
        table.add_row(Text(array.path), str(array.shape), array.dtype, f"{array.nbytes:,}")
    table.columns[0].footer = f"{len(report.arrays)} arrays"
    table.columns[3].footer = f"{sum(array.nbytes for array in report.arrays):,}"
    return table


def _print_list(console: Console, title: str, lines: list[str], style: str) -> None:
    if lines:
        console.print(Text(title, style))
    for line in lines:
        console.print(Text(f"  {line}"), soft_wrap=True)
