"""A handful of the zoo with few steps; ``python -m benchmarks.parity`` compares all of it for 100."""

import numpy as np
import pytest

from benchmarks.parity_zoo import ZOO
from polykeras import backends
from polykeras.parity import check

PAIR = ["numpy", next((name for name in ("torch", "tensorflow", "jax") if backends.is_installed(name)), "numpy")]
ON_ALL = ["MLP"]
ON_TWO = [
    *("VAE", "GAN", "several inputs and outputs", "ResNet", "bidirectional with masks"),
    *("decoder, causal, grouped queries", "mixed_bfloat16", "PINN, second derivatives"),
]


@pytest.mark.parametrize("name", ON_TWO)
def test_an_architecture_is_the_same_on_two_engines(name):
    build, x, y = ZOO[name]()
    report = check(build, x, y, PAIR, steps=3, verbose=0)
    assert report.is_same, str(report)
    assert all(entry.verdict == "equal" for entry in report.part("initial weight"))
    limit = 1e-2 if "bfloat16" in name else 1e-5
    assert report.curve_difference() < limit, str(report)
    assert np.isfinite(report.losses["numpy"]).all()


@pytest.mark.parametrize("name", ON_ALL)
def test_an_architecture_is_the_same_on_all_engines(name):
    build, x, y = ZOO[name]()
    report = check(build, x, y, steps=3, verbose=0)
    assert report.backends[0] == "numpy" and set(report.backends) == set(backends.available())
    assert report.is_same and report.curve_difference() < 1e-5, str(report)


def test_the_zoo_holds_more_than_thirty():
    assert len(ZOO) >= 30
