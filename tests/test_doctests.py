"""Every example in a docstring runs: all on NumPy, those of public names on PyTorch and TensorFlow too."""

from __future__ import annotations

import functools
import importlib

import pytest

from docs import examples, names
from polykeras import backends

# JAX compiles each operation of each example, which takes minutes: the build of the documentation site does so.
BACKENDS = [name for name in backends.available() if name != "jax"]


@functools.cache
def homes() -> tuple[str, ...]:
    """Where public classes and functions are defined."""
    return tuple(entry.home for rows in names.entries().values() for entry in rows)


def is_public(name: str) -> bool:
    return any(name == home or name.startswith(f"{home}.") for home in homes())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", examples.modules())
def test_examples_run(name: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_third_party", dict(backends._third_party))  # examples register their own
    backends.load_all()  # in the order in which the frameworks live together
    results = examples.run(importlib.import_module(name), backend)
    problems = [text for example, text in results.items() if text and (backend == "numpy" or is_public(example))]
    assert problems == [], "\n".join(problems)


def test_an_example_that_shows_another_value_is_found_on_every_backend(backend):
    module = type(examples)("polykeras_example")
    module.__doc__ = (
        ">>> from polykeras import ops\n>>> ops.multiply([1.0, 2.0], 2.0)\narray([2., 4.1], dtype=float32)\n"
    )
    assert "4.1" in examples.run(module, backend.name)["polykeras_example"]
    module.__doc__ = module.__doc__.replace("4.1", "4.")
    assert examples.run(module, backend.name) == {"polykeras_example": ""}
