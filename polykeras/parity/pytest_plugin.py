"""The implementation of the pytest plugin, which ``pytest_polykeras`` imports when a test uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import backends
from polykeras.parity.checking import assert_parity
from polykeras.parity.report import Report
from polykeras.parity.snapshots import Snapshots


def names(mark: Any, asked: list[str] | None) -> list[str]:
    """Return the backends that a test runs on.

    Args:
        mark: the test's mark ``backends``, or None.
        asked: names from the command line, or None.

    Raises:
        ValueError: for an unknown backend.
    """
    chosen = list(mark.args) if mark is not None and mark.args else backends.available()
    for name in (*chosen, *(asked or ())):
        if name not in (*backends.NAMES, *backends.available()):
            raise ValueError(f"Expected a backend among {backends.NAMES}. Received: {name!r}.")
    return [name for name in chosen if not asked or name in asked]


def assertion(request: Any) -> Callable[..., Report]:
    """Return ``assert_parity`` for a test: by default on the backends requested on the command line."""
    config = request.config
    asked = config.getoption("polykeras_backend")
    counts = [0]

    def check(model: Any, x: Any = None, y: Any = None, **options: Any) -> Report:
        """Raise if engines differ, or if the reference differs from a snapshot."""
        __tracebackhide__ = True
        options.setdefault("backends", list(asked) if asked else None)
        report = assert_parity(model, x, y, **options)
        counts[0] += 1
        name = f"{request.node.nodeid}#{counts[0]}"
        if config.getoption("--parity-record"):
            _recorded(config).add(name, report)
        if config.getoption("--parity-check"):
            _checked(config).compare(name, report)
        return report

    return check


def _recorded(config: Any) -> Snapshots:
    if not hasattr(config, "_parity_recorded"):
        config._parity_recorded = Snapshots()
    return config._parity_recorded


def _checked(config: Any) -> Snapshots:
    if not hasattr(config, "_parity_checked"):
        config._parity_checked = Snapshots.read(config.getoption("--parity-check"))
    return config._parity_checked


def write(config: Any) -> None:
    """Write the snapshots of a session; existing ones of tests that did not run are kept."""
    if hasattr(config, "_parity_recorded"):
        config._parity_recorded.write(config.getoption("--parity-record"))
