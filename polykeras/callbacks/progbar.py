"""A progress bar: one live line in a terminal or notebook, plain lines in a log."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterable
from typing import Any, ClassVar, TextIO

import numpy as np

#: Seconds between two lines in a log.
LOG_INTERVAL = 60.0
_INTERVAL = 0.05


class Progbar:
    """Displays the progress of a loop, its duration, and values such as the loss.

    In a terminal or notebook the line is updated live. Elsewhere (a log file, a pipe) lines without control
    characters are printed, one at the end and one for every minute before.

    Args:
        target: int, total number of units; None if unknown.
        width: int, number of characters of the bar; default 20.
        verbose: 0 for silent, 1 for a live line where possible, 2 for one line at the end; default 1.
        interval: float, minimum number of seconds between two updates of a live line, or two lines in a log; default
            0.05, which means 60 in a log.
        stateful_metrics: names of values to show unchanged; all others are averaged over the units; default
            None.
        stateless_metrics: names of values to average; all others are shown unchanged; default None.
        unit_name: str, name of a unit; default "step".
        title: str, heading such as ``"Epoch 1/30"``; default "".

    Raises:
        ValueError: if both ``stateful_metrics`` and ``stateless_metrics`` are given.

    >>> bar = Progbar(10, verbose=2, unit_name="file")
    >>> bar.update(4, [("loss", 1.0)])
    >>> bar.add(6, [("loss", 2.0)])  # doctest: +ELLIPSIS
    10/10 - 0s - .../file - loss: 1.6000
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = _INTERVAL,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
        *,
        title: str = "",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("Expected stateful_metrics or stateless_metrics. Received: both.")
        self.target = target
        self.width = width
        self.verbose = verbose
        self.unit_name = unit_name
        self.title = title
        self._as_is = None if stateful_metrics is None else set(stateful_metrics)
        self._averaged = None if stateless_metrics is None else set(stateless_metrics)
        self._sums: dict[str, tuple[Any, float]] = {}
        #: Units done so far.
        self.seen = 0
        self._is_done = False
        self._start = self._progressed = time.perf_counter()
        self._first: tuple[int, float] | None = None
        self._line = _open_line(verbose)
        in_log = isinstance(self._line, _LogLine)
        self.interval = LOG_INTERVAL if in_log and interval == _INTERVAL else interval
        self._drawn = self._start if in_log else -math.inf

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """Report that ``current`` units are done.

        Args:
            current: int, number of units done so far, including the latest ones.
            values: list of pairs (name, value) of the latest units; default None.
            finalize: bool, whether these are the last units; default None, for when ``current`` reaches the target.
        """
        now = time.perf_counter()
        units = max(current - self.seen, 1)
        for name, value in values or ():
            self._record(name, value, units)
        if current > self.seen:
            self.seen, self._progressed = current, now
            self._first = self._first or (current, now)
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        if finalize:
            self._is_done = True
            self.target = self.seen if self.target is None else self.target
            self._line.finish(self)
        elif now - self._drawn >= self.interval:
            self._line.draw(self)
            self._drawn = now

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Report that ``n`` more units are done.

        Args:
            n: int, number of units.
            values: list of pairs (name, value) of these units; default None.
        """
        self.update(self.seen + n, values)

    def _record(self, name: str, value: Any, units: int) -> None:
        averages = name in self._averaged if self._averaged is not None else name not in (self._as_is or ())
        if not averages:
            self._sums[name] = value, 1
            return
        value = np.asarray(value).mean() if isinstance(value, list | tuple) else value
        total, count = self._sums.get(name, (0.0, 0))
        self._sums[name] = total + value * units, count + units

    # ---------------------------------------------------------------- the line

    def parts(self) -> list[str]:
        """Return the parts of the line: count, remaining (finally total) time, time per unit, values."""
        if self._is_done or self.target is None:
            seconds = time.perf_counter() - self._start
        else:
            seconds = self._per_unit() * (self.target - self.seen)
        texts = [self._count(), format_seconds(seconds)]
        if self.seen:
            texts.append(f"{format_short(self._per_unit())}/{self.unit_name}")
        return texts + [f"{name}: {_format_value(total, count)}" for name, (total, count) in self._sums.items()]

    def bar(self, done: str = "━", left: str = "─") -> tuple[str, str]:
        """Return the completed and the remaining part of the bar.

        Args:
            done: character of the completed part; default "━".
            left: character of the remaining part; default "─".
        """
        filled = self.width * min(self.seen, self.target) // self.target if self.target else self.width
        return done * filled, left * (self.width - filled)

    def _count(self) -> str:
        if self.target is None:
            return f"{self.seen}/Unknown"
        return f"{self.seen:>{len(str(self.target))}}/{self.target}"

    def _per_unit(self) -> float:
        """Seconds per unit, excluding the first units, in which steps are compiled, as soon as there are others."""
        seen, since = self._first or (0, self._start)
        if self.seen > seen:
            return (self._progressed - since) / (self.seen - seen)
        return (self._progressed - self._start) / max(self.seen, 1)


def say(message: str) -> None:
    """Print a message on its own line, also while a live bar is shown.

    >>> say("Epoch 3: the loss has stopped improving.")
    Epoch 3: the loss has stopped improving.
    """
    _TerminalLine.step_aside()
    print(message)


def is_live(verbose: int) -> bool:
    """Return whether a bar created now would be live.

    >>> is_live(2)
    False
    """
    stream = sys.stdout
    if verbose != 1 or stream is None:
        return False
    is_terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    return is_terminal or _is_notebook(stream)


def format_seconds(seconds: float) -> str:
    """Return a duration in days, hours, minutes and seconds.

    >>> format_seconds(9.6), format_seconds(75), format_seconds(3675), format_seconds(90000)
    ('9s', '1:15', '1:01:15', '1d 1:00:00')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}:{minutes:02}:{rest:02}"
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest}s"


def format_short(seconds: float) -> str:
    """Return a short duration in a suitable unit.

    >>> format_short(2.4), format_short(0.0031), format_short(0.000042)
    ('2s', '3ms', '42us')
    """
    if seconds >= 0.9995:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 0.9995e-3 else f"{seconds * 1e6:.0f}us"


def _format_value(total: Any, count: float) -> str:
    try:
        value = float(total) / max(count, 1)
    except (TypeError, ValueError):  # a string, or one value per class
        return str(total)
    return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 or not math.isfinite(value) else f"{value:.4e}"


def _is_notebook(stream: Any) -> bool:
    return type(stream).__module__.startswith("ipykernel")


def _open_line(verbose: int) -> _LogLine | _TerminalLine | _NotebookLine:
    if not is_live(verbose):
        return _LogLine(verbose)
    stream: Any = sys.stdout
    return _NotebookLine() if _is_notebook(stream) else _TerminalLine(stream)


class _LogLine:
    """Output that can't be redrawn: a line now and then, and one at the end."""

    def __init__(self, verbose: int) -> None:
        self._verbose = verbose

    def draw(self, bar: Progbar) -> None:
        if self._verbose == 1:
            self.finish(bar)

    def finish(self, bar: Progbar) -> None:
        if self._verbose:
            print(*([bar.title] if bar.title else []), *bar.parts(), sep=" - ", flush=True)


class _TerminalLine:
    """A terminal line that is erased and rewritten."""

    #: The unfinished line that the cursor is on, if any.
    _current: ClassVar[_TerminalLine | None] = None

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.control import Control
        from rich.segment import ControlType

        self._console = Console(file=stream)
        self._erase = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))
        self._is_titled = False

    @classmethod
    def step_aside(cls) -> None:
        """Erase the unfinished line, so that something else can be printed; the next update redraws it."""
        line, cls._current = cls._current, None
        if line is not None:
            line._console.control(line._erase)

    def draw(self, bar: Progbar) -> None:
        self._write(bar, end="", no_wrap=True, overflow="ellipsis")
        _TerminalLine._current = self

    def finish(self, bar: Progbar) -> None:
        self._write(bar, end="\n", soft_wrap=True)

    def _write(self, bar: Progbar, **layout: Any) -> None:
        with self._console as console:  # one write: no flicker
            self.step_aside()
            if bar.title and not self._is_titled:
                console.print(bar.title, highlight=False, markup=False)
                self._is_titled = True
            console.print(_styled(bar, console.encoding), **layout)


class _NotebookLine:
    """The output of a notebook cell, updated in place; only the last state is saved."""

    def __init__(self) -> None:
        self._handle: Any = None

    def draw(self, bar: Progbar) -> None:
        from IPython.display import display
        from rich.text import Text

        text = Text(f"{bar.title}\n" if bar.title else "").append_text(_styled(bar, "utf-8"))
        if self._handle is None:
            self._handle = display(text, display_id=True)
        else:
            self._handle.update(text)

    finish = draw


def _styled(bar: Progbar, encoding: str) -> Any:
    """The line with its bar and colors, as rich's Text."""
    from rich.text import Text

    count, duration, *rest = bar.parts()
    done, left = bar.bar() if encoding.lower().startswith("utf") else bar.bar("=", ".")
    line = Text.assemble((count, "bold"), " ", (done, "green"), (left, "bright_black"), " ", (duration, "bold"))
    if rest:
        line.append(" " + " - ".join(rest))
    return line
