"""The result of a comparison: an entry for everything compared, the first difference, and its cause."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from polykeras.parity.measures import Difference

#: The parts of a model that are compared, in the order in which a difference would propagate.
PARTS = ("initial weight", "output", "training output", "gradient", "loss", "weight")
VERDICTS = ("equal", "within", "explained", "different")


class ParityError(AssertionError):
    """Raised if engines differ by more than rounding explains; holds the ``report``.

    Args:
        message: str.
        report: ``Report``.

    >>> import polykeras as keras
    >>> issubclass(keras.parity.ParityError, AssertionError)
    True
    """

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report


@dataclass
class Entry:
    """One comparison.

    Attributes:
        part: one of ``PARTS``.
        layer: path of the layer, without the model's own name; for a loss the model's name.
        kind: the layer's class, or the op.
        name: name of the weight; "" for outputs and losses.
        step: number of the training step; None before training.
        shape, dtype: those of the reference's array.
        differences: differences from the reference, by backend.
        errors: differences from the float64 referee, by backend; empty without a referee.
        allowed: the largest absolute difference that counts as rounding.
        verdict: ``"equal"`` to the bit, ``"within"`` tolerance, ``"explained"`` by a near tie, by a direction without
            gradient or by a known convention, or ``"different"``.
    """

    part: str
    layer: str
    kind: str
    name: str = ""
    step: int | None = None
    shape: tuple = ()
    dtype: str = ""
    differences: dict[str, Difference] = field(default_factory=dict)
    errors: dict[str, Difference] = field(default_factory=dict)
    allowed: float = 0.0
    verdict: str = "equal"

    @property
    def worst(self) -> tuple[str, Difference]:
        """The backend that is furthest from the reference, and its difference."""
        return max(self.differences.items(), key=lambda item: item[1].absolute)

    @property
    def title(self) -> str:
        """A noun phrase that names what was compared."""
        relation = "after" if self.part == "weight" else "of"
        when = "" if self.step is None else f" {relation} step {self.step}"
        if self.part == "loss":
            return f"loss{when}"
        what = f"{self.part} {self.name!r}" if self.name else self.part
        return f"{what} of layer {self.layer!r} ({self.kind}){when}"


@dataclass
class Cause:
    """The cause of the first difference.

    Attributes:
        kind: such as ``"near tie"``, ``"reduction order"``, ``"kernel"``, ``"defect"``.
        sentence: str, an explanation for people.
        is_benign: whether rounding alone explains it, so that no engine is at fault.
        layer, operation: where it arose.
        backend: the backend that differs, if there is one.
    """

    kind: str
    sentence: str
    is_benign: bool = False
    layer: str = ""
    operation: str = ""
    backend: str = ""


@dataclass
class Report:
    """The result of ``polykeras.parity.check``.

    Attributes:
        backends: names of the contenders; the first is the reference.
        entries: all comparisons, in the order in which a difference would propagate.
        losses: the loss of each training step, by backend, including the referee.
        causes: causes of the first difference, the most likely first.
        examined: the entry that the causes explain; default None.
        notes: list of further remarks; default none.
        pairs: the arrays of the first difference, by backend, for plots.
        outputs: the model's first output in inference, by backend.
        rtol, atol: the tolerances; defaults 1e-05 and 0.0.
        seconds: the duration; default 0.0.

    >>> import numpy as np, polykeras as keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> keras.parity.check(model, np.ones((2, 4), "float32"), backends=["numpy"]).backends[0]
    'numpy'
    """

    backends: list[str]
    entries: list[Entry] = field(default_factory=list)
    losses: dict[str, list[float]] = field(default_factory=dict)
    causes: list[Cause] = field(default_factory=list)
    examined: Entry | None = field(default=None, repr=False)
    notes: list[str] = field(default_factory=list)
    pairs: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: dict[str, np.ndarray] = field(default_factory=dict)
    rtol: float = 1e-5
    atol: float = 0.0
    seconds: float = 0.0

    @property
    def reference(self) -> str:
        """The backend that the others are compared with."""
        return self.backends[0]

    @property
    def first(self) -> Entry | None:
        """The first entry that differs by more than is allowed; if all are explained, the one examined."""

        def of(verdict: str) -> Entry | None:
            return next((e for e in self.entries if e.verdict == verdict), None)

        return of("different") or self.examined or of("explained")

    @property
    def is_same(self) -> bool:
        """Whether nothing differs by more than rounding explains."""
        return all(entry.verdict != "different" for entry in self.entries)

    @property
    def cause(self) -> Cause | None:
        """The most likely cause of the first difference."""
        return self.causes[0] if self.causes else None

    @property
    def culprit(self) -> str | None:
        """The path of the layer, or the name of the optimizer, that is at fault; None if nothing differs."""
        if self.first is None:
            return None
        return self.cause.layer if self.cause is not None and self.cause.layer else self.first.layer

    def part(self, name: str) -> list[Entry]:
        """Return the entries of one part.

        Args:
            name: one of ``PARTS``.

        Raises:
            ValueError: for an unknown part.
        """
        if name not in PARTS:
            raise ValueError(f"Expected one of {PARTS}. Received: {name!r}.")
        return [entry for entry in self.entries if entry.part == name]

    def curve_difference(self) -> float:
        """Return the largest relative difference of the loss curves from the reference's.

        >>> Report(["a", "b"], losses={"a": [2.0, 1.0], "b": [2.0, 1.5]}).curve_difference()
        0.5
        """
        reference = np.array(self.losses.get(self.reference, []), np.float64)
        worst = 0.0
        for name in self.backends[1:]:
            curve = np.array(self.losses.get(name, []), np.float64)
            if curve.size:
                worst = max(worst, float(np.max(np.abs(curve - reference) / np.maximum(np.abs(reference), 1e-30))))
        return worst

    # ------------------------------------------------------------------ the truth

    def nearness(self) -> dict[str, float]:
        """Return the largest relative error of all outputs against float64, by backend; {} without a referee."""
        result: dict[str, float] = {}
        for entry in self.entries:
            if entry.part in ("output", "training output"):
                for name, error in entry.errors.items():
                    result[name] = max(result.get(name, 0.0), error.relative)
        return result

    # --------------------------------------------------------------------- words

    def sentences(self) -> list[str]:
        """Return the findings as sentences."""
        found = [self._verdict()]
        if self.first is not None:
            found.append(self._first_difference(self.first))
        found += [cause.sentence for cause in self.causes]
        found += self._nearest()
        return found + self.notes

    def _verdict(self) -> str:
        counts = {name: sum(entry.verdict == name for entry in self.entries) for name in VERDICTS}
        names = ", ".join(self.backends)
        if counts["different"]:
            return f"Different: {counts['different']} of {len(self.entries)} comparisons on {names}."
        if counts["explained"]:
            why = (
                "a convention explains" if self.cause and self.cause.kind == "convention" else "rounding alone decides"
            )
            return f"Same on {names}, but for {counts['explained']} comparisons that {why}."
        if counts["equal"] == len(self.entries):
            return f"Same on {names}: all {len(self.entries)} comparisons are equal to the bit."
        return f"Same on {names}: all {len(self.entries)} comparisons, {counts['equal']} of them to the bit."

    def _first_difference(self, entry: Entry) -> str:
        name, worst = entry.worst
        value, expected = shown(worst.value), shown(worst.reference)
        return (
            f"First difference: {entry.title}, at index {worst.index}: {name} {value} ({worst.dtypes[0]}), "
            f"{self.reference} {expected} ({worst.dtypes[1]}): absolute {worst.absolute:.2e}, "
            f"relative {worst.relative:.2e}, {worst.ulp:.3g} ulp; allowed {entry.allowed:.2e}."
        )

    def _nearest(self) -> list[str]:
        entry = self.first
        errors = {name: e.relative for name, e in entry.errors.items()} if entry is not None else self.nearness()
        errors = {name: error for name, error in errors.items() if name in self.backends}
        if len(errors) < 2 or min(errors.values()) > 1:  # pure rounding noise: nobody is close
            return []
        order = sorted(errors, key=errors.__getitem__)
        shown = ", ".join(f"{name} {errors[name]:.1e}" for name in order)
        what = "There the" if entry is not None else "The"
        return [f"{what} float64 referee is nearest to {order[0]}; relative errors: {shown}."]

    def __str__(self) -> str:
        from polykeras.parity import views

        return views.text(self)

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        from polykeras.parity import views

        yield from views.renderables(self, options.max_width)

    def _repr_html_(self) -> str:
        from polykeras.parity import views

        return views.html(self)

    def to_html(self, path: Any = None) -> str:
        """Return the report as an HTML page, and write it to a file if a path is given.

        Args:
            path: path of the file; default None.
        """
        from pathlib import Path

        from polykeras.parity import views

        page = views.page(self)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def plot(self, path: Any = None) -> Any:
        """Plot the differences by layer, by step, and within the array.

        Args:
            path: path of an image to write; default None, for none.

        Returns:
            The matplotlib Figure.

        Raises:
            ImportError: without matplotlib.
        """
        from polykeras.parity import views

        return views.plot(self, path)

    # ---------------------------------------------------------------------- data

    def to_records(self) -> list[dict]:
        """Return a dict of plain values for each entry and backend."""
        records = []
        for entry in self.entries:
            base = {
                "part": entry.part,
                "layer": entry.layer,
                "kind": entry.kind,
                "name": entry.name,
                "step": entry.step,
                "shape": list(entry.shape),
                "dtype": entry.dtype,
                "allowed": entry.allowed,
                "verdict": entry.verdict,
            }
            for name, found in entry.differences.items():
                error = entry.errors.get(name)
                numbers = asdict(found) | {"index": list(found.index), "dtypes": list(found.dtypes)}
                truth = {"error": error.relative if error is not None else None}
                records.append({**base, "backend": name, **numbers, **truth})
        return records

    def to_pandas(self) -> Any:
        """Return a DataFrame with a row for each entry and backend.

        Raises:
            ImportError: without pandas.
        """
        from polykeras.core.extras import require

        return require("pandas", "test", "a DataFrame of a parity report").DataFrame(self.to_records())

    def to_json(self, path: Any = None) -> str:
        """Return the report as JSON, and write it to a file if a path is given.

        Args:
            path: path of the file; default None.
        """
        from pathlib import Path

        data = {
            "same": self.is_same,
            "backends": self.backends,
            "rtol": self.rtol,
            "atol": self.atol,
            "seconds": self.seconds,
            "sentences": self.sentences(),
            "causes": [asdict(cause) for cause in self.causes],
            "losses": self.losses,
            "entries": self.to_records(),
        }
        text = json.dumps(_plain(data), indent=1)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def raise_if_different(self) -> Report:
        """Return the report, or raise.

        Raises:
            ParityError: if something differs by more than rounding explains.
        """
        if not self.is_same:
            raise ParityError("\n".join(self.sentences()), self)
        return self


def shown(value: float | None) -> str:
    """Format a number with enough digits to distinguish float32s."""
    return "none" if value is None else f"{value:.9g}"


def _plain(value: Any) -> Any:
    """Convert a value for JSON: numbers that are not finite become words."""
    if isinstance(value, dict):
        return {key: _plain(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(x) for x in value]
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value
