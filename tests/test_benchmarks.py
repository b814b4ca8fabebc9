"""The contenders of the benchmarks compute the same."""

import numpy as np
import pytest

import polykeras as keras
from benchmarks.contenders import Contender, load_weights, save_weights
from benchmarks.keras_contender import KerasContender
from benchmarks.report import fill, training
from benchmarks.workloads import WORKLOADS


@pytest.mark.parametrize("name", ["small MLP", "GRU"])
def test_native_loops_take_the_steps_of_polykeras(backend, name, tmp_path):
    if backend.name == "numpy":
        assert Contender("native", "numpy").title == "scikit-learn"  # it draws weights of its own
        return
    own = KerasContender(keras, WORKLOADS[name], False, "auto", None)
    path = str(tmp_path / "weights.npz")
    save_weights(path, own.weights())
    own._weights = load_weights(path)
    native = Contender("native", backend.name).make(name, False, path)
    np.testing.assert_allclose(native.losses(3), own.losses(3), rtol=2e-3)


def test_the_table_compares_with_the_better_setting_of_each_contender():
    times = {"predict": [1.0], "predict_row": [1.0], "call_row": [1.0], "losses": [0.5]}
    results = {
        "polykeras": {"fit": [1.0, 2.0, 1.0], **times},
        "polykeras, compiled": {"fit": [0.5, 0.5, 0.5], **times},
        "native": {"fit": [2.0, 4.0, 2.0], **times},
        "native, compiled": {"fit": [4.0, 8.0, 4.0], **times},
        "keras": {"fit": [4.0, 8.0, 4.0], **times},
    }
    _, _, plain, compiled, *_ = training({"a net: torch": results}).splitlines()
    assert plain.startswith("| a net: torch | 1000 | 0.50 | 0.25 |")
    assert compiled.startswith("| a net: torch, jit_compile=True | 500 | 0.25 | 0.12 |")


def test_tables_take_the_place_of_those_before(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- benchmarks -->\nold\n<!-- end of benchmarks -->\nbelow\n")
    fill(page, "| new |\n")
    assert page.read_text() == "above\n<!-- benchmarks -->\n| new |\n<!-- end of benchmarks -->\nbelow\n"
    page.write_text("no marks\n")
    with pytest.raises(ValueError, match=r"marks.*page\.md"):
        fill(page, "")
