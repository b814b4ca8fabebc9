"""Checking an adapter, including third-party ones, against the interface.

Run all checks and get a single report::

    from polykeras.testing import conformance
    print(conformance.check(MyBackend()))

or let pytest show each one separately::

    @pytest.mark.parametrize("check", [pytest.param(c, id=n) for n, c in conformance.cases(MyBackend())])
    def test_conformance(check):
        check()
"""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from polykeras.backends.contract.backend import Backend
from polykeras.backends.contract.interface import primitives
from polykeras.testing import array_cases, behaviours, elementwise, kernel_cases
from polykeras.testing.cases import Case, ConformanceError, Job, overridden


@functools.cache
def table() -> tuple[Case, ...]:
    """Return all cases: a call, its NumPy arguments and its right answer."""
    parts = (
        elementwise.unary_cases,
        elementwise.binary_cases,
        array_cases.reduction_cases,
        array_cases.linear_algebra_cases,
        array_cases.movement_cases,
        kernel_cases.kernel_cases,
    )
    return tuple(case for part in parts for case in part())


def cases(adapter: Backend, compiled: bool | None = None) -> list[tuple[str, Callable[[], None]]]:
    """Return (name, check) pairs; a check takes no arguments and raises if it fails.

    Args:
        adapter: an instance of a backend. One with ``is_symbolic`` is checked for the
            shapes and dtypes that it infers, any other for everything it does.
        compiled: bool, whether to compute all cases of a method in one compiled function, or each
            eagerly. By default compiled if the adapter has ``is_traced``.

    >>> from polykeras import backends
    >>> names = [name for name, check in cases(backends.load("numpy"))]
    >>> "value of add: float32" in names
    True
    """
    compiled = adapter.is_traced if compiled is None else compiled
    signatures = [*primitives(), *overridden(adapter)]
    result: list[tuple[str, Callable[[], None]]]
    result = [(f"signature of {name}", functools.partial(_check_signature, adapter, name)) for name in signatures]
    if adapter.is_symbolic:
        return result + list(_symbolic_checks(adapter))
    computing = [*_value_checks(adapter, compiled), *_behaviour_checks(adapter)]
    result += [(name, functools.partial(_check_in_64_bits, adapter, check)) for name, check in computing]
    return result


def _check_in_64_bits(adapter: Backend, check: Callable[[], None]) -> None:
    """Run a check after naming a 64-bit dtype: an engine may hold NumPy's arrays in 32 bits until a program does."""
    adapter.full((), 0.0, "float64")
    check()


def _value_checks(adapter: Backend, compiled: bool) -> Iterator[tuple[str, Callable]]:
    fast = set(overridden(adapter))
    by_method: dict[str, list[Case]] = {}
    for case in table():
        by_method.setdefault(case.method, []).append(case)
    for method, group in by_method.items():
        parts: list[tuple[str, Callable[[Any], Job], Callable]] = []
        for case in group:
            parts.append((f"value of {case.name}", case.value_job, case.check_value))
            if case.gradient:
                parts.append((f"gradient of {case.name}", case.gradient_job, case.check_gradient))
            elif method in fast and case.smooth and case.has_floats:
                parts.append((f"composite gradient of {case.name}", case.composite_job, case.check_composite))
        jobs = _Jobs(adapter, [job(adapter) for _, job, _ in parts], compiled)
        for index, (name, _, compare) in enumerate(parts):
            yield name, functools.partial(_compute_and_compare, adapter, jobs, index, compare)


def _compute_and_compare(adapter: Backend, jobs: _Jobs, index: int, compare: Callable) -> None:
    compare(adapter, jobs.result(index))


class _Jobs:
    """Jobs of one adapter, compiled together or run one by one."""

    def __init__(self, adapter: Backend, jobs: list[Job], compiled: bool) -> None:
        self._adapter = adapter
        self._jobs = jobs
        self._compiled_parts = compiled

    def result(self, index: int) -> Any:
        """Return the result of a job, computing it if necessary."""
        if not self._compiled_parts:
            return self._jobs[index].run(self._adapter)
        if self._together is None:
            return self._compile([self._jobs[index]])[0]
        return self._together[index]

    @functools.cached_property
    def _together(self) -> list | None:
        """Return the results of all jobs; None if one fails. Compiling each separately takes three times as long."""
        try:
            return self._compile(self._jobs)
        except Exception:  # of any kind: it will be raised again by the job that it belongs to
            return None

    def _compile(self, jobs: list[Job]) -> list:
        arrays = [[self._adapter.array(x.copy()) for x in job.arrays] for job in jobs]

        def run(state: tuple, arrays: list) -> tuple:
            return state, [job.function(given) for job, given in zip(jobs, arrays, strict=True)]

        return self._adapter.compile(run, optimize=False)((), arrays)[1]


def _behaviour_checks(adapter: Backend) -> Iterator[tuple[str, Callable]]:
    for check in behaviours.CHECKS:
        yield check.__name__.replace("_", " "), functools.partial(check, adapter)


def _symbolic_checks(adapter: Backend) -> Iterator[tuple[str, Callable]]:
    for case in table():
        yield f"shape of {case.name}", functools.partial(case.check_shape, adapter)
        if case.unknown:
            yield f"unknown size of {case.name}", functools.partial(case.check_unknown_size, adapter)


def check(adapter: Backend, only: str = "") -> str:
    """Run the suite and return a line with the number of passed checks.

    Args:
        adapter: an instance of a backend.
        only: str, to run only checks whose names contain it; default "".

    Raises:
        ConformanceError: if a check fails; the message names every one that did, and why.
    """
    chosen = [(name, run) for name, run in cases(adapter) if only in name]
    run_checks(chosen, adapter.name)
    return f"{len(chosen)} checks of {adapter.name} passed."


def run_checks(checks: list[tuple[str, Callable[[], None]]], adapter_name: str) -> None:
    """Run all (name, check) pairs from ``cases``, even if some fail.

    Raises:
        ConformanceError: if a check fails; the message names every one that did, and why.
    """
    failures = []
    for name, run in checks:
        try:
            run()
        except Exception as error:  # of any kind: everything that is wrong is reported
            failures.append(f"{name}\n    {_reason(error)}")
    if failures:
        raise ConformanceError(
            f"{len(failures)} of {len(checks)} checks of {adapter_name} failed:\n\n" + "\n\n".join(failures)
        )


def _reason(error: Exception) -> str:
    if isinstance(error, ConformanceError):
        return str(error).replace("\n", "\n    ")
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"


# ------------------------------------------------------------------ signatures


def _check_signature(adapter: Backend, name: str) -> None:
    """Check that a method has the interface's parameters, or forwards any arguments."""
    kind = type(adapter)
    if getattr(kind, name) is getattr(Backend, name):
        raise ConformanceError(f"Expected {kind.__name__} to implement the primitive {name!r}. Received: no method.")
    expected = list(inspect.signature(getattr(Backend, name)).parameters.values())
    try:
        signature = inspect.signature(getattr(kind, name), follow_wrapped=False)
    except ValueError:
        return  # a native function, without an inspectable signature
    actual = list(signature.parameters.values())
    wanted, found = ([_outline(p) for p in parameters] for parameters in (expected, actual))
    is_static = isinstance(inspect.getattr_static(kind, name), staticmethod)
    if is_static or any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in actual):
        fits = _accepts(signature, expected[1:] if is_static else expected)
    else:
        fits = wanted == found
    if not fits:
        raise ConformanceError(f"Expected {kind.__name__}.{name} to take {wanted}. Received: {found}.")


def _accepts(signature: inspect.Signature, expected: list) -> bool:
    """True if the required arguments can be passed by position, and the options by position or name."""
    required = [p for p in expected if p.default is inspect.Parameter.empty]
    options = {p.name: None for p in expected if p.default is not inspect.Parameter.empty}
    try:
        signature.bind(*expected)
        signature.bind(*required, **options)
    except TypeError:
        return False
    return True


def _outline(parameter: inspect.Parameter) -> str:
    """Return name, kind and default; positional-only parameters may have any name."""
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        return "one positional"
    default = "" if parameter.default is inspect.Parameter.empty else f"={parameter.default!r}"
    named = parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    return f"{'' if named else parameter.kind.description + ' '}{parameter.name}{default}"
