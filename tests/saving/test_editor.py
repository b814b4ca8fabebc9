"""Files of weights are shown, changed and saved by hand, as Keras does it."""

from __future__ import annotations

import contextlib
import io

import h5py
import numpy as np
import pytest

import polykeras as keras
from polykeras.saving import KerasFileEditor


def make(library, units=(3, 2)):
    names = ("one", "two", "three")
    layers = [library.layers.Dense(n, name=name) for n, name in zip(units, names, strict=False)]
    return library.Sequential([library.Input((2,)), *layers])


@pytest.fixture(params=["m.keras", "m.weights.h5", "m.safetensors", "m.weights.json"])
def editor(request, tmp_path):
    model = make(keras)
    if request.param == "m.keras":
        model.save(tmp_path / request.param)
    else:
        model.save_weights(tmp_path / request.param, max_shard_size=1 if request.param.endswith("json") else None)
    editor = KerasFileEditor(tmp_path / request.param)
    editor.model = model
    return editor


def test_an_object_that_is_added_has_no_name_of_one_that_was_deleted(editor, tmp_path):
    for number in range(50):
        editor.delete_object("layers/dense")
        editor.add_object("layers/dense", {"0": np.ones(number + 1)})
    editor.save(tmp_path / "new.weights.h5")
    with h5py.File(tmp_path / "new.weights.h5") as file:
        assert file["layers/dense/vars"].attrs["name"] == ""


def lines(editor):
    found = []
    editor.summary(print_fn=found.append)
    return found


def test_all_changes_are_in_the_file_that_is_saved(editor, tmp_path):
    editor.rename_object("layers/dense", "renamed")
    editor.delete_object("dense_1")
    editor.add_object("layers/new", {"0": np.ones((2, 3), "float32")})
    editor.delete_weight("renamed", "1")
    editor.add_weights("renamed", {"1": np.arange(3.0)})
    expected = [
        "layers",
        "  new",
        "    0: shape=(2, 3), dtype=float32",
        "  renamed",
        "    0: shape=(2, 3), dtype=float32",
        "    1: shape=(3,), dtype=float64",
    ]
    assert lines(editor) == expected
    editor.save(tmp_path / "edited.weights.h5")
    again = KerasFileEditor(tmp_path / "edited.weights.h5")
    assert lines(again) == expected
    np.testing.assert_array_equal(again.weights_dict["layers"]["renamed"]["0"], editor.model.get_weights()[0])


def test_an_edited_file_loads_here_and_in_keras(editor, tmp_path, real_keras):
    editor.delete_object("dense_1")
    editor.add_object("layers/dense_1", {"0": np.full((3, 5), 2.0), "1": np.arange(5.0)})
    editor.resave_weights(tmp_path / "edited.weights.h5")
    for library in (keras, real_keras):
        model = make(library, (3, 5))
        model.load_weights(tmp_path / "edited.weights.h5")
        np.testing.assert_array_equal(model.get_weights()[0], editor.model.get_weights()[0])
        np.testing.assert_array_equal(model.get_weights()[3], np.arange(5.0))


@pytest.mark.parametrize("units", [(3, 2), (4, 2), (3, 2, 2), (3,)])
def test_a_model_is_compared(editor, tmp_path, real_keras, capsys, units):
    result = editor.compare(make(keras, units))
    shapes = [w.shape for w in make(keras, units).weights]
    saved = [w.shape for w in make(keras).weights]
    matches = sum(a == b for a, b in zip(shapes, saved, strict=False))
    assert result["match_count"] == matches
    assert result["error_count"] == max(len(shapes), len(saved)) - matches
    make(keras).save_weights(tmp_path / "file.weights.h5")
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = real_keras.saving.KerasFileEditor(str(tmp_path / "file.weights.h5")).compare(make(real_keras, units))
    assert result["status"] == theirs["status"]
    if units == (4, 2):
        assert "layers/dense/0: Expected (2, 4). Received: (2, 3)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("'nope'; there is none", lambda e: e.delete_object("nope")),
        ("more than one", lambda e: (e.add_object("dense", {}), e.delete_object("dense"))),
        ("without a path", lambda e: e.rename_object("dense", "a/b")),
        ("no other object", lambda e: e.rename_object("dense", "dense_1")),
        ("'a/b'", lambda e: e.add_object("a/b/c", {})),
        ("'7'", lambda e: e.delete_weight("dense", "7")),
        ("dict", lambda e: e.add_weights("dense", [1])),
        ("ends in", lambda e: e.save("m.keras")),
    ],
)
def test_mistakes_are_named(tmp_path, words, change):
    make(keras).save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(ValueError, match=words):
        change(KerasFileEditor(tmp_path / "m.weights.h5"))


def test_the_tree_is_drawn(tmp_path, capsys):
    make(keras).save_weights(tmp_path / "m.weights.h5")
    KerasFileEditor(tmp_path / "m.weights.h5").summary()
    assert "└── dense_1" in capsys.readouterr().out
