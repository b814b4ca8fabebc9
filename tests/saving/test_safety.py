"""Files that are damaged, cut off or made to do harm are refused; a failed write leaves the old file."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import polykeras as keras
from polykeras import saving
from polykeras.saving import files


def small_model():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


@pytest.fixture
def path(tmp_path):
    small_model().save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, contents, compression=zipfile.ZIP_STORED):
    """Write an archive as another program would: without a seal."""
    contents = dict(contents)
    contents["metadata.json"] = json.dumps({"keras_version": "3.15.1"}).encode()
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)


def changed(path, change):
    """Rewrite the config of a file by a function."""
    contents = members(path)
    config = json.loads(contents["config.json"])
    change(config)
    contents["config.json"] = json.dumps(config).encode()
    write(path, contents)


# ------------------------------------------------------------------ damage


@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5"])
def test_one_flipped_byte_anywhere_is_detected(tmp_path, name):
    model, path = small_model(), tmp_path / name
    save, load = (model.save, saving.load_model) if name == "model.keras" else (model.save_weights, model.load_weights)
    save(path)
    whole = path.read_bytes()
    for index in [*range(0, len(whole), 97), *range(len(whole) - 100, len(whole))]:
        path.write_bytes(whole[:index] + bytes([whole[index] ^ 0x10]) + whole[index + 1 :])
        with pytest.raises((ValueError, OSError)):
            load(path)
    path.write_bytes(whole)
    load(path)


@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5"])
def test_a_file_that_is_cut_off_is_refused(tmp_path, name):
    model, path = small_model(), tmp_path / name
    save, load = (model.save, saving.load_model) if name == "model.keras" else (model.save_weights, model.load_weights)
    save(path)
    whole = path.read_bytes()
    for size in (0, 1, 50, len(whole) // 2, len(whole) - len(files.BLANK_SEAL), len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=name):
            load(path)


def test_files_without_a_seal_load(path):
    write(path, members(path))
    assert saving.load_model(path).count_params() == 8


# ----------------------------------------------------------------- archives


@pytest.mark.parametrize("name", ["/tmp/evil", "../evil", "a/../../evil", "C:\\evil", "..\\evil"])
def test_members_that_would_leave_the_archive_are_refused(path, name):
    write(path, members(path) | {name: b"x"})
    with pytest.raises(ValueError, match="evil"):
        saving.load_model(path)


def test_links_are_refused(path):
    contents = members(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
        link = zipfile.ZipInfo("assets")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc")
    with pytest.raises(ValueError, match="link"):
        saving.load_model(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_occur_twice_are_refused(path):
    contents = members(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in [*contents.items(), ("config.json", contents["config.json"])]:
            archive.writestr(name, data)
    with pytest.raises(ValueError, match="twice"):
        saving.load_model(path)


def test_compressed_bombs_are_refused_and_plain_compression_is_not(path, monkeypatch):
    contents = members(path)
    write(path, contents, zipfile.ZIP_DEFLATED)
    assert saving.load_model(path).count_params() == 8
    write(path, contents | {"assets/bomb": bytes(1 << 24)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="bomb"):
        saving.load_model(path)
    monkeypatch.setattr(saving.limits, "ratio", 1e9)
    assert saving.load_model(path).count_params() == 8
    monkeypatch.setattr(saving.limits, "total", 1 << 20)
    with pytest.raises(ValueError, match="limits"):
        saving.load_model(path)


# --------------------------------------------------------------------- HDF5


@pytest.fixture
def weights(tmp_path):
    """A file of weights without a seal, to change."""
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = np.ones((3, 2), "f"), np.ones(2, "f")
    small_model().load_weights(path)
    return path


def replaced(path, make):
    with h5py.File(path, "a") as file:
        group = file["layers/dense/vars"]
        del group["0"]
        make(group)


def test_links_in_hdf5_are_refused(tmp_path, weights):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["secret"] = np.ones((3, 2), "f")
    links = h5py.ExternalLink(str(tmp_path / "secret.h5"), "secret"), h5py.SoftLink("/layers/dense/vars/1")
    replaced(weights, lambda group: group.__setitem__("0", links[0]))
    with pytest.raises(ValueError, match="link"):
        small_model().load_weights(weights)
    replaced(weights, lambda group: group.__setitem__("0", links[1]))
    with pytest.raises(ValueError, match="link"):
        small_model().load_weights(weights)


def test_arrays_kept_in_other_files_are_refused(tmp_path, weights):
    (tmp_path / "raw").write_bytes(bytes(24))
    external = [(str(tmp_path / "raw"), 0, 24)]
    replaced(weights, lambda group: group.create_dataset("0", (3, 2), "f", external=external))
    with pytest.raises(ValueError, match="other files"):
        small_model().load_weights(weights)
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["secret"] = np.ones((3, 2), "f")
    layout = h5py.VirtualLayout((3, 2), "f")
    layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "secret", (3, 2))
    replaced(weights, lambda group: group.create_virtual_dataset("0", layout))
    with pytest.raises(ValueError, match="other files"):
        small_model().load_weights(weights)


def test_shapes_beyond_the_bytes_of_the_file_are_refused(weights):
    size = 1 << 36
    replaced(weights, lambda group: group.create_dataset("0", (size, 2), "f", chunks=(1024, 2), compression="gzip"))
    with pytest.raises(ValueError, match="of which the file holds 0"):
        small_model().load_weights(weights)


# ------------------------------------------------------------------- configs


def test_a_model_of_more_weights_than_the_file_holds_takes_no_memory(path):
    def grow(config):
        config["config"]["layers"][1]["config"]["units"] = 10**12

    changed(path, grow)
    with pytest.raises(ValueError, match="1000000000000.*2 of shapes"):
        saving.load_model(path)


def test_code_is_not_run(path):
    code = {"class_name": "__lambda__", "config": {"value": "4wAAAA==", "defaults": None, "closure": None}}

    def put(config):
        layer = {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": code}}
        config["config"]["layers"].append(layer)

    changed(path, put)
    with pytest.raises(ValueError, match="without code"):
        saving.load_model(path)


@pytest.mark.parametrize(
    "described",
    [
        {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"},
        {"module": "subprocess", "class_name": "Popen", "config": {"args": ["touch", "harm"]}},
        {"module": "keras.utils", "class_name": "function", "config": "get_file", "registered_name": "get_file"},
        {"module": "keras.src.ops.numpy", "class_name": "__init__", "config": {}},
        {"module": "harmful_module", "class_name": "Harm", "config": {}},
        {"module": "keras.config", "class_name": "function", "config": "enable_unsafe_deserialization"},
    ],
)
def test_nothing_that_a_config_names_is_imported_or_called(path, tmp_path, monkeypatch, described):
    (tmp_path / "harmful_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def put(config):
        config["config"]["layers"][1]["config"]["activation"] = described

    changed(path, put)
    with pytest.raises(ValueError, match="Received: "):
        saving.load_model(path)
    changed(path, lambda config: config["config"]["layers"].append(described))
    with pytest.raises(ValueError, match="Received: "):
        saving.load_model(path)
    assert "harmful_module" not in sys.modules and not (tmp_path / "harm").exists()


# ------------------------------------------------------------------ writing


def test_an_exception_while_writing_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def fail(*args):
        raise OSError(28, "No space left on device")

    for where in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, where, fail)
            with pytest.raises(OSError, match="No space left"):
                small_model().save(path)
        assert path.read_bytes() == before
        assert os.listdir(path.parent) == [path.name]


def test_a_kill_at_any_moment_leaves_a_whole_file(path):
    code = f"""
import polykeras as keras
model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(300)])
print("ready", flush=True)
while True:
    model.save({str(path)!r})
"""
    environment = {**os.environ, "KERAS_BACKEND": "numpy", "PYTHONPATH": str(Path(keras.__file__).parent.parent)}
    for delay in (0.0, 0.013, 0.05):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
        process.stdout.readline()
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.wait()
        saving.load_model(path)


def test_overwriting_can_be_forbidden_and_permissions_stay(path):
    with pytest.raises(FileExistsError, match="overwrite=False"):
        small_model().save(path, overwrite=False)
    os.chmod(path, 0o640)
    small_model().save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
