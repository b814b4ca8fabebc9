"""Models and weights into and from open files and groups, files packed anew, and layers that are skipped."""

from __future__ import annotations

import io
import zipfile

import h5py
import numpy as np
import pytest

import polykeras as keras

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


def trained():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="a"), keras.layers.Dense(1, name="b")])
    model.compile("adam", "mse")
    model.fit(X, X[:, :1], verbose=0)
    return model


def same(one, other):
    return all(np.array_equal(*pair) for pair in zip(one.get_weights(), other.get_weights(), strict=True))


class File:
    """A file of the system, written and read as a binary file."""

    def __init__(self, path):
        self.path = path / "file"

    def __enter__(self):
        self.file = open(self.path, "w+b")  # noqa: SIM115
        return self.file

    def __exit__(self, *exception):
        self.file.close()


TARGETS = {
    "bytes": lambda path: io.BytesIO(),
    "file": File,
    "h5py file": lambda path: h5py.File(path / "file", "w"),
    "h5py group": lambda path: h5py.File(path / "file", "w").create_group("inner"),
}


def opened(target):
    return target.file if isinstance(target, h5py.Group) and not isinstance(target, h5py.File) else target


@pytest.mark.parametrize("kind", TARGETS)
def test_a_model_goes_into_an_open_file_and_back(tmp_path, kind, backend):
    model, target = trained(), TARGETS[kind](tmp_path)
    with opened(target) as context:
        destination = context if kind == "file" else target
        model.save(destination)
        if hasattr(destination, "seek"):
            destination.seek(0)
        loaded = keras.saving.load_model(destination)
    assert same(model, loaded)
    assert [np.asarray(v) for v in loaded.optimizer.variables]
    assert int(loaded.optimizer.iterations.numpy()) == int(model.optimizer.iterations.numpy()) == 1


@pytest.mark.parametrize("kind", TARGETS)
def test_weights_go_into_an_open_file_and_back(tmp_path, kind):
    model, other, target = trained(), trained(), TARGETS[kind](tmp_path)
    with opened(target) as context:
        destination = context if kind == "file" else target
        model.save_weights(destination)
        if hasattr(destination, "seek"):
            destination.seek(0)
        other.load_weights(destination)
    assert same(model, other)


def test_real_keras_reads_what_went_into_an_open_file(real_keras, tmp_path):
    model = trained()
    with open(tmp_path / "model.keras", "wb") as file:
        model.save(file)
    assert same(model, real_keras.saving.load_model(tmp_path / "model.keras", compile=False))


def test_bytes_that_are_no_model_are_refused():
    with pytest.raises(ValueError, match=r"to be a .keras file"):
        keras.saving.load_model(io.BytesIO(b"nothing"))


# ------------------------------------------------------------ packed by others


def pack_anew(source, target, compression):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_file_that_a_zip_tool_packed_anew_loads_with_a_warning(tmp_path, compression):
    model = trained()
    model.save(tmp_path / "a.keras")
    pack_anew(tmp_path / "a.keras", tmp_path / "b.keras", compression)
    with pytest.warns(UserWarning, match="to end in its checksum. Received: none; the checksums of its parts match"):
        loaded = keras.saving.load_model(tmp_path / "b.keras")
    assert same(model, loaded)


def test_a_file_packed_anew_whose_members_are_damaged_is_refused(tmp_path):
    trained().save(tmp_path / "a.keras")
    pack_anew(tmp_path / "a.keras", tmp_path / "b.keras", zipfile.ZIP_STORED)
    content = bytearray((tmp_path / "b.keras").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "b.keras").write_bytes(content)
    with pytest.raises(ValueError, match=r"checksum|Expected JSON"):
        keras.saving.load_model(tmp_path / "b.keras")


def test_a_file_of_keras_2_is_known_by_its_content_whatever_its_name(tmp_path):
    model = trained()
    model.save(tmp_path / "a.h5")
    (tmp_path / "a.h5").rename(tmp_path / "a.ckpt")
    assert same(model, keras.saving.load_model(tmp_path / "a.ckpt"))


@pytest.mark.parametrize("error", [FileNotFoundError, ValueError])
def test_a_missing_file_is_told_as_python_and_as_keras_do(tmp_path, error):
    with pytest.raises(error, match="where there is none"):
        keras.saving.load_model(tmp_path / "missing.keras")
    with pytest.raises(error, match="where there is none"):
        trained().load_weights(tmp_path / "missing.weights.h5")
    with pytest.raises(ValueError, match="a file name that ends in"):
        keras.saving.load_model("model.pkl")


# -------------------------------------------------------------- skipped layers


@pytest.mark.parametrize("when", ["saving", "loading"])
@pytest.mark.parametrize("suffix", [".weights.h5", ".safetensors"])
def test_skipped_layers_stay_as_they_are(tmp_path, when, suffix):
    model, other = trained(), trained()
    before = other.layers[0].get_weights()
    path = tmp_path / f"m{suffix}"
    model.save_weights(path, objects_to_skip=[model.layers[0]] if when == "saving" else None)
    other.load_weights(path, objects_to_skip=[other.layers[0]])
    assert np.array_equal(other.layers[0].get_weights()[0], before[0])
    assert np.array_equal(other.layers[1].get_weights()[0], model.layers[1].get_weights()[0])
    with pytest.raises(ValueError, match="layout of Keras 2"):
        model.save_weights(tmp_path / "m.h5", objects_to_skip=[model.layers[0]])
