"""The list of backends."""

from __future__ import annotations

import contextlib

from polykeras import backends, config


def print_backends() -> int:
    """Print the backends with versions and devices, and which one is chosen and why.

    Returns:
        0, or 1 if a backend is configured that can't be used.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    with contextlib.suppress(Exception):  # a backend that can't be loaded is reported below
        backends.load_all()
    table = Table("backend", "version", "devices")
    for name in dict.fromkeys([*backends.available(), *backends.NAMES]):
        table.add_row(*map(Text, _describe(name)))
    console.print(table)
    try:
        name, reason = backends.default_name(), _reason()
    except (ValueError, ImportError) as error:
        console.print(Text(str(error)), soft_wrap=True)
        return 1
    console.print(Text(f"Chosen: {name}, {reason}."), soft_wrap=True)
    return 0


def _describe(name: str) -> tuple[str, str, str]:
    """Return the table cells for one backend."""
    if not backends.is_installed(name):
        return name, "not installed", f"pip install 'polykeras[{name}]'"
    try:
        backend = backends.load(name)
        return name, backend.version(), ", ".join(backend.devices())
    except Exception as error:  # a broken framework may raise anything
        return name, "can't be loaded", f"{type(error).__name__}: {error}"


def _reason() -> str:
    name, source = config.configured_backend()
    if name is not None:
        return f"as {source} says"
    choices = [name for name in backends.NAMES if name != "numpy"]
    return f"the first installed of {', '.join(choices)}, numpy; KERAS_BACKEND chooses another"
