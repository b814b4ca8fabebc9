"""``check``: one model on several engines, layer by layer and step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from polykeras import backends as registry
from polykeras.core import naming, seeds
from polykeras.models.model import Model
from polykeras.parity import causes, judging
from polykeras.parity.report import Report
from polykeras.parity.running import Batches, Contender

_SEED = 0


def check(
    model: Any,
    x: Any = None,
    y: Any = None,
    backends: Any = None,
    steps: int = 0,
    rtol: float | None = None,
    atol: float = 0.0,
    *,
    batch_size: int = 32,
    sample_weight: Any = None,
    referee: bool = True,
    explain: bool = True,
    verbose: int | None = None,
    map: dict | None = None,
    **foreign: Any,
) -> Report:
    """Run one model on several engines and compare everything that its layers compute.

    It compares the output of each layer, in inference and in training, the gradient of each weight, and with
    ``steps`` the loss of each training step and the weights after it. Every engine starts from the same weights
    and random state. A run in float64 on NumPy is the referee: it shows which engine is closer to the true values, and
    how large rounding errors are, which do not count as differences.

    Args:
        model: a built Model, whose weights, optimizer and state are copied to each engine; a function without
            arguments that returns one, called once for each engine with the same seed; or the path of a saved model.
        x: inputs: an array, or a list or dict of them; default None. If the second argument is another library's model
            or a file, inputs come third and targets fourth: see docs/porting_a_model.md.
        y: targets, for gradients of the model's own loss and for training; default None, which differentiates a
            random projection of the outputs.
        backends: list of names; default None, for all installed ones, NumPy first. The first is the reference.
        steps: int, the number of training steps to compare; default 0.
        rtol: allowed difference, relative to the largest value of an array; the default depends on the lowest precision
            in the model, 1e-5 for float32. Gradients and trained weights may differ by 10 times as much.
        atol: float, allowed absolute difference in addition; default 0.0.
        batch_size: int, rows per batch; training cycles through the data in order; default 32.
        sample_weight: weights of the rows; default None, for equal weights.
        referee: bool, whether to run the model in float64 too; default True.
        explain: bool, whether to look for the cause of the first difference; default True.
        verbose: 1 shows progress, 0 nothing; default None, for 1 in a terminal.
        map: for models of other libraries, a dict from names of their weights to names of ours, as returned by
            ``match_weights``; default None.
        **foreign: further arguments of the comparison with another library's model.

    Returns:
        A Report: ``print`` it, show it in a notebook, ``plot`` it, or call ``raise_if_different``.

    Raises:
        ValueError: if there is nothing to compare, or a layer wraps an object of its engine.
        TypeError: for unknown arguments.

    >>> import numpy as np, polykeras as keras
    >>> def build():
    ...     model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    ...     model.compile("sgd", "mse")
    ...     return model
    >>> x, y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")
    >>> report = check(build, x, y, backends=["numpy"], steps=2)
    >>> report.is_same, len(report.losses["numpy"])
    (True, 2)
    """
    from polykeras.parity import foreign_models as others

    if others.is_foreign(x):
        if isinstance(backends, list) and any(isinstance(name, str) for name in backends):
            raise TypeError(
                f"Expected targets as the fourth argument: a comparison with another library's model has no backends. "
                f"Received: {backends}."
            )
        options = {"steps": steps, "rtol": rtol, "atol": atol, "batch_size": batch_size, "map": map, **foreign}
        return others.check_foreign(model, x, y, backends, sample_weight=sample_weight, **options)
    if foreign or map is not None:
        unknown = naming.listed(sorted([*foreign, *["map"] * bool(map)]))
        raise TypeError(f"Expected arguments of check. Received: unknown {unknown}.")
    started = time.perf_counter()
    names = _names(backends)
    data = Batches(x, y, sample_weight, batch_size)
    progress = _Progress(verbose)
    contenders, judge = _contenders(model, names, referee, data.first[0], progress)
    judgement = judging.Judgement(contenders, judge, rtol, atol)
    report = Report(names, rtol=judgement.rtol, atol=atol)
    _compare(judgement, report, data, progress, callable(model) and not isinstance(model, Model))
    if explain and not report.is_same:
        # Done now, because training changes the weights.
        progress.say("looking for the cause")
        causes.explain(judgement, report, data.first)
    _train(judgement, report, data, steps, progress)
    if explain:
        causes.explain(judgement, report, data.first)
        causes.note_amplified(report)
    progress.end()
    report.seconds = time.perf_counter() - started
    return report


def assert_parity(model: Any, x: Any = None, y: Any = None, **options: Any) -> Report:
    """Check a model, and raise if engines differ by more than rounding explains; for tests.

    Args:
        model, x, y, **options: as for ``check``.

    Returns:
        The Report.

    Raises:
        ParityError: if they differ; with the first difference, its layer, values and cause.

    >>> import numpy as np, polykeras as keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> assert_parity(model, np.ones((2, 4), "float32"), backends=["numpy"]).is_same
    True
    """
    __tracebackhide__ = True
    return check(model, x, y, **{"verbose": 0, **options}).raise_if_different()


def _names(names: list[str] | None) -> list[str]:
    if names is None:
        names = registry.available()
        names = [*(n for n in names if n == "numpy"), *(n for n in names if n != "numpy")]
    if not names:
        raise ValueError("Expected at least one backend. Received: an empty list.")
    registry.load_all(list(names))
    return list(names)


def _contenders(model: Any, names: list[str], referee: bool, x: Any, progress: _Progress) -> tuple:
    """Return the model on each engine, and on the referee."""
    progress.say("preparing")
    if isinstance(model, str) or hasattr(model, "__fspath__"):
        from polykeras import saving

        model = saving.load_model(model)
    every = [*names, registry.REFEREE] if referee else names
    if isinstance(model, Model):
        if not model.built:
            Contender(model._backend_name, model).build(x)
        made = [Contender(name, model.to_backend(name)) for name in every]
    else:
        made = [Contender(name, _build(model, name)) for name in names]
        for contender in made:
            contender.build(x)
        if referee:
            made.append(Contender(registry.REFEREE, made[0].model.to_backend(registry.REFEREE)))
    return (made[:-1], made[-1]) if referee else (made, None)


def _build(function: Callable, name: str) -> Any:
    with registry.use(name):
        naming.reset()
        seeds.set_seed(_SEED)
        model = function()
    if not isinstance(model, Model):
        raise ValueError(f"Expected a model, or a function that returns one. Received: {type(model).__name__}.")
    return model


def _compare(
    judgement: judging.Judgement, report: Report, data: Batches, progress: _Progress, is_built_anew: bool
) -> None:
    x, y, sample_weight = data.first
    if is_built_anew:
        report.entries += judgement.initial_weights()
    if judgement.contenders[0].can_be_called:
        for part, training in (("output", False), ("training output", True)):
            progress.say(f"{part}s")
            report.entries += judgement.outputs(x, training, part)
        if judgement.contenders[0].model.trainable_variables:
            progress.say("gradients")
            report.entries += judgement.gradients(x, y, sample_weight)
    report.pairs = judgement.pairs_of(report.first)
    report.outputs = judgement.outputs_of_model


def _train(judgement: judging.Judgement, report: Report, data: Batches, steps: int, progress: _Progress) -> None:
    for step, batch in zip(range(1, steps + 1), data.endless(), strict=False):
        progress.say(f"step {step} of {steps}")
        report.entries += judgement.step(step, batch)
    report.losses = {name: [float(loss) for loss in curve] for name, curve in judgement.losses.items()}
    report.pairs = report.pairs or judgement.pairs_of(report.first)


class _Progress:
    """A status line that shows the current activity."""

    def __init__(self, verbose: int | None) -> None:
        import sys

        self._status = None
        if verbose or (verbose is None and sys.stderr.isatty()):
            from rich.console import Console

            self._status = Console(stderr=True).status("parity")
            self._status.start()

    def say(self, what: str) -> None:
        if self._status is not None:
            self._status.update(f"parity: {what}")

    def end(self) -> None:
        if self._status is not None:
            self._status.stop()
