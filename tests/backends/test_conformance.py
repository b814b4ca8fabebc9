"""Every backend keeps the contract, and the suite that says so finds every fault."""

from __future__ import annotations

import functools

import pytest

from polykeras import backends
from polykeras.backends.contract import interface
from polykeras.backends.contract.spec import SpecBackend
from polykeras.testing import conformance
from polykeras.testing.broken import FAULTS
from polykeras.testing.cases import Case, ConformanceError, values

# JAX compiles every small call: line by line, the suite would take minutes on it. Checks of
# control and transforms compile on every backend.
COMPILED = {"jax"}


pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@functools.cache
def groups(backend: str) -> dict[str, list]:
    """The checks of a backend by what they check: thousands of cases, hundreds of tests."""
    adapter = SpecBackend() if backend == "spec" else backends.load(backend)
    result = {}
    for name, check in conformance.cases(adapter, compiled=backend in COMPILED):
        result.setdefault(name.partition(":")[0], []).append((name, check))
    return result


def parameters():
    for backend in ("spec", *backends.NAMES):
        if backend == "spec" or backends.is_installed(backend):
            yield from (pytest.param(backend, group, id=f"{backend}-{group}") for group in groups(backend))
        else:
            reason = pytest.mark.skip(reason=f"{backend} is not installed")
            yield pytest.param(backend, None, id=backend, marks=reason)


@pytest.mark.parametrize(("backend_name", "group"), list(parameters()))
def test_backend_keeps_the_contract(backend_name, group):
    conformance.run_checks(groups(backend_name)[group], backend_name)


@pytest.mark.skipif(not backends.is_installed("tensorflow"), reason="tensorflow is not installed")
def test_tensorflow_graphs_compute_what_single_operations_do():
    primitives = {f"value of {name}" for name in interface.primitives()}
    found = conformance.cases(backends.load("tensorflow"), compiled=True)
    chosen = [(name, check) for name, check in found if name.partition(":")[0] in primitives]
    assert len(chosen) > 1000
    conformance.run_checks(chosen, "tensorflow")


@pytest.mark.parametrize("adapter", FAULTS, ids=lambda adapter: adapter.__name__)
def test_suite_finds_a_planted_fault(adapter):
    with pytest.raises(ConformanceError) as report:
        conformance.check(adapter(), only=adapter.caught_by)
    assert adapter.caught_by in str(report.value)
    sound = adapter.__mro__[1]
    conformance.check(sound(), only=adapter.caught_by)


def test_report_counts_what_passed():
    assert conformance.check(backends.load("numpy"), only="value of logical_and") == "2 checks of numpy passed."


def test_names_of_checks_are_unique():
    names = [name for name, _ in conformance.cases(backends.load("numpy"))]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda b, x: b.cast(x, "float64"), "to have dtype float32. Received: float64"),
        (lambda b, x: b.reshape(x, (3, 1)), r"to have shape \(3,\). Received: \(3, 1\)"),
        (lambda b, x: b.multiply(x, 1.001), "to be"),
        (lambda b, x: b.to_numpy(x).tolist(), "to return 1 arrays"),
        (lambda b, x: (x, x), "to return 1 arrays"),
    ],
)
def test_a_wrong_result_is_told_from_a_right_one(wrong, message):
    numpy = backends.load("numpy")
    case = Case("negative", (values(3),), lambda x: x, run=wrong)
    with pytest.raises(ConformanceError, match=message):
        case.check_value(numpy, case.value_job(numpy).run(numpy))


def test_an_adapter_of_a_third_party_needs_no_pytest():
    assert "pytest" not in vars(conformance)
