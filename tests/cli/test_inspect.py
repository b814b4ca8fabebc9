"""``polykeras inspect`` tells what a file holds, and builds and runs nothing of it."""

from __future__ import annotations

import json
import zipfile

import h5py
import numpy as np
import pytest

import polykeras as keras
from polykeras.cli import main
from polykeras.saving.inspection import inspect
from polykeras.serialization import registry


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="relu", name="first")], name="mine")


@pytest.fixture(autouse=True)
def nothing_is_built(monkeypatch, request):
    """Building from a config fails, once the file is written."""

    def build(*arguments, **named):
        raise AssertionError("something was built")

    def forbid():
        monkeypatch.setattr(registry, "_build", build)
        monkeypatch.setattr(registry, "deserialize", build)

    request.node.forbid_building = forbid


def run(capsys, path, request):
    request.node.forbid_building()
    status = main(["inspect", str(path)])
    return status, " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.weights.h5", "m.safetensors", "m.weights.json", "m.json"])
def test_every_format_is_shown(model, tmp_path, capsys, request, name):
    model.compile("adam", "mse")
    path = tmp_path / name
    if name in ("m.keras", "m.h5"):
        model.save(path)
    elif name == "m.json":
        path.write_text(model.to_json())
    else:
        model.save_weights(path, max_shard_size=1 if name == "m.weights.json" else None)
    status, text = run(capsys, path, request)
    assert status == 0 and "Nothing unsafe" in text
    if name in ("m.keras", "m.h5", "m.json"):
        assert "Sequential 'mine'" in text and "units=2" in text and "activation=relu" in text
        assert "optimizer: Adam" in text and "loss: mse" in text
    if name != "m.json":
        assert "(3, 2)" in text and "float32" in text and "24" in text  # bytes of the kernel
    if name == "m.keras":
        assert f"polykeras version: {keras.__version__}" in text and "keras version: 3" in text


def test_classes_that_must_be_registered_are_named(tmp_path, capsys, request):
    class Mine(keras.layers.Layer):
        def call(self, x):
            return x

    keras.Sequential([keras.Input((3,)), Mine()]).save(tmp_path / "m.keras")
    status, text = run(capsys, tmp_path / "m.keras", request)
    assert status == 0 and "custom_objects" in text and "Mine (tests" in text or "Mine (test_inspect" in text


def changed(path, change):
    """Rewrite the config of a file, as another program would."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(contents["config.json"])
    change(config["config"]["layers"][1])
    contents |= {"config.json": json.dumps(config).encode(), "metadata.json": b'{"keras_version": "3.15.1"}'}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)


CODE = {"class_name": "__lambda__", "config": {"code": "4wAAAA==", "defaults": None, "closure": None}}
HARM = {
    "bytecode": lambda layer: layer["config"].update(activation=CODE),
    "bytecode, which": lambda layer: layer.update(class_name="Lambda", config={"function": ["4wA=", None, None]}),
    "no model needs": lambda layer: layer.update(class_name="system", module="os", registered_name=None),
    "torch module": lambda layer: layer.update(class_name="TorchModuleWrapper"),
    "/etc/passwd": lambda layer: layer.update(class_name="StringLookup", config={"vocabulary": "/etc/passwd"}),
}


@pytest.mark.parametrize("words", HARM)
def test_what_is_unsafe_in_a_config_is_told(model, tmp_path, capsys, request, words):
    model.save(tmp_path / "m.keras")
    changed(tmp_path / "m.keras", HARM[words])
    status, text = run(capsys, tmp_path / "m.keras", request)
    assert status == 1 and words in text.split("Unsafe or damaged:")[1]


def test_links_in_hdf5_and_members_outside_are_told(model, tmp_path):
    with h5py.File(tmp_path / "m.weights.h5", "w") as file:
        file["layers/first/vars/0"] = np.ones((3, 2), "f")
        file["layers/first/vars/1"] = h5py.ExternalLink("/secret.h5", "x")
    report = inspect(tmp_path / "m.weights.h5")
    assert "link" in report.dangers[0] and [array.shape for array in report.arrays] == [(3, 2)]
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras", "a") as archive:
        archive.writestr("../evil", b"x")
    report = inspect(tmp_path / "m.keras")
    assert "evil" in report.facts["other members"] and report.dangers and report.layers


def test_damage_is_told(model, tmp_path, capsys, request):
    path = tmp_path / "m.keras"
    model.save(path)
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(data)
    status, text = run(capsys, path, request)
    assert status == 1 and "checksum" in text and "units=2" in text
    path.write_bytes(b"no archive")
    assert "can't be read" in inspect(path).dangers[0]


def test_a_missing_file_and_an_unknown_suffix_are_named(tmp_path):
    with pytest.raises(SystemExit):
        main(["inspect", str(tmp_path / "no.keras")])
    (tmp_path / "m.pkl").write_bytes(b"")
    with pytest.raises(ValueError, match="ends in one of"):
        inspect(tmp_path / "m.pkl")
