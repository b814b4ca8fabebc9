"""Fixtures: the backends that are installed, and real Keras to compare with."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import signal

import pytest

os.environ.setdefault("KERAS_VERBOSE", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# A shell lets its jobs in the background ignore Ctrl-C; the fits that tests interrupt would go on for hours.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Tests compile many functions and run each once: JAX's compiler need not try hard.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

# Real Keras is an oracle of the tests and runs on torch. It reads the variable that polykeras
# reads, and TensorFlow imports it: so it is imported first, after jax, which torch has to follow.
os.environ["KERAS_BACKEND"] = "torch"
for name in ("jax", "torch", "keras"):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
del os.environ["KERAS_BACKEND"]

from polykeras import backends, config  # noqa: E402
from polykeras.core.context import context  # noqa: E402

backends.set_default("numpy")
config.disable_traceback_filtering()


@pytest.fixture(params=backends.available())
def backend(request):
    """Each installed backend, in use during the test."""
    with backends.use(request.param) as adapter:
        yield adapter


@pytest.fixture(autouse=True)
def no_learning_phase():
    """What a test or an example says by ``backend.set_learning_phase`` ends with it."""
    yield
    context.training = None


@pytest.fixture(scope="session")
def real_keras():
    """Real Keras, on torch."""
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "torch":
        pytest.skip("real Keras is here without torch")
    return keras


def pytest_terminal_summary(terminalreporter):
    """Say how many cases of a layer, its options and a backend were run, where layers were tested."""
    reports = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    on_backend = re.compile(rf"tests/layers/.*[\[-]({'|'.join(backends.available())})[-\]]")
    cases = {report.nodeid for report in reports if on_backend.search(report.nodeid)}
    if cases:
        terminalreporter.write_line(f"{len(cases)} cases of a layer with its options on a backend")
