"""Fixtures: the backends that are installed, and real Keras to compare with."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest


def flags_of_xla():
    """Flags by which XLA compiles fast; the last one, thrice as fast, is only for those that know it."""
    flags = ["--xla_backend_optimization_level=0", "--xla_llvm_disable_expensive_passes=true"]
    fast = [*flags, "--xla_cpu_use_fusion_emitters=false"]
    compile_something = {
        "jax": "import jax; jax.jit(lambda x: x + 1)(1)",
        "tensorflow": "import tensorflow as tf; tf.function(lambda x: x + 1, jit_compile=True)(tf.constant(1))",
    }
    installed = [program for name, program in compile_something.items() if importlib.util.find_spec(name)]
    return " ".join(fast if all(runs_with(fast, program) for program in installed) else flags)


def runs_with(flags, program):
    """Whether a program runs with flags of XLA: one that it does not know ends the process."""
    environment = {**os.environ, "XLA_FLAGS": " ".join(flags)}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True).returncode == 0


os.environ.setdefault("KERAS_VERBOSE", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# A shell lets its jobs in the background ignore Ctrl-C; the fits that tests interrupt would go on for hours.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Tests compile many functions and run each once: XLA need not try hard.
if "XLA_FLAGS" not in os.environ:
    os.environ["XLA_FLAGS"] = flags_of_xla()
# What one process of the tests has compiled, another one need not: programs for JAX, and the modules of polykeras.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    compiled = tempfile.TemporaryDirectory(prefix="polykeras-tests-", ignore_cleanup_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = compiled.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The million objects of the engines and of the tests live until the end: the garbage collector need not look at them.
gc.disable()

# Real Keras is an oracle of the tests and runs on torch. It reads the variable that polykeras
# reads, and TensorFlow imports it: so it is imported first, after jax, which torch has to follow.
os.environ["KERAS_BACKEND"] = "torch"
for name in ("jax", "torch", "keras"):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
del os.environ["KERAS_BACKEND"]

from polykeras import backends, config  # noqa: E402
from polykeras.core.context import context  # noqa: E402
from polykeras.parity import ParityError  # noqa: E402
from polykeras.testing.cases import ConformanceError  # noqa: E402

PACKAGE = Path(config.__file__).parent

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


@pytest.fixture(autouse=True)
def jax_without_64_bits():
    """What a test switches on by naming a 64-bit dtype ends with it."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].config.update("jax_enable_x64", False)


@pytest.fixture(autouse=True)
def messages_are_short(monkeypatch):
    """Whatever error of ours a test expects says what it has to in 600 characters."""
    checked = pytest.raises

    def raises(*arguments, **options):
        context = checked(*arguments, **options)
        return ShortMessages(context) if hasattr(context, "__enter__") else context

    monkeypatch.setattr(pytest, "raises", raises)


class ShortMessages:
    """The context manager of ``pytest.raises``, which looks at the length of the message too."""

    def __init__(self, context):
        self._context = context

    def __enter__(self):
        return self._context.__enter__()

    def __exit__(self, kind, error, traceback):
        is_caught = self._context.__exit__(kind, error, traceback)
        # Reports name all that was found, one thing after the other.
        is_report = is_caught and issubclass(kind, ConformanceError | ParityError)
        if is_caught and is_ours(traceback) and not is_report:
            assert len(str(error)) <= 600, f"Expected a message of at most 600 characters. Received: {error}"
        return is_caught


def is_ours(traceback):
    """Whether an error was raised by a line of polykeras, not by another library or a test."""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return PACKAGE in Path(traceback.tb_frame.f_code.co_filename).parents


@pytest.fixture(scope="session")
def real_keras():
    """Real Keras, on torch."""
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "torch":
        pytest.skip("real Keras is here without torch")
    return keras


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter):
    """Say how many cases of a layer, its options and a backend were run, where layers were tested."""
    reports = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    on_backend = re.compile(rf"tests/layers/.*[\[-]({'|'.join(backends.available())})[-\]]")
    cases = {report.nodeid for report in reports if on_backend.search(report.nodeid)}
    if cases:
        terminalreporter.write_line(f"{len(cases)} cases of a layer with its options on a backend")
