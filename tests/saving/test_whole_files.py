"""Whatever happens while a file is written, the old one is whole; whatever happens to it after, loading tells."""

from __future__ import annotations

import functools
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import polykeras as keras

ROOT = Path(keras.__file__).parents[1]
FORMATS = ["m.keras", "m.h5", "m.weights.h5", "w.h5", "m.safetensors", "m.weights.json"]


@functools.cache
def receiver(units):
    return make(units=units)


def make(value=0.0, units=2):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units), keras.layers.Dense(2)])
    model.set_weights([np.full(w.shape, value, "float32") for w in model.weights])
    return model


def save(model, path):
    if path.name in ("m.keras", "m.h5"):
        model.save(path)
    else:
        model.save_weights(path, max_shard_size=1e-3 if path.suffix == ".json" else None)


def load(path, units=2):
    """Return the weights in a file."""
    if path.name in ("m.keras", "m.h5"):
        return keras.models.load_model(path).get_weights()
    model = receiver(units)
    model.load_weights(path)
    return model.get_weights()


def assert_is_one_save(path, units=2):
    """All weights of a save are the same number."""
    assert len({float(value) for weight in load(path, units) for value in weight.ravel()}) == 1


# ------------------------------------------------------------------- damage


def files_of(path):
    return sorted(path.parent.glob("m_*")) + [path] if path.suffix == ".json" else [path]


@pytest.mark.parametrize("name", FORMATS)
def test_one_flipped_byte_anywhere_is_detected_and_the_file_named(tmp_path, name):
    path = tmp_path / name
    save(make(1.5), path)
    for file in files_of(path):
        whole = file.read_bytes()
        for index in [*range(0, len(whole), 7), *range(max(0, len(whole) - 50), len(whole))]:
            file.write_bytes(whole[:index] + bytes([whole[index] ^ 0x04]) + whole[index + 1 :])
            with pytest.raises(ValueError, match=file.name.replace(".", r"\.")):
                load(path)
        file.write_bytes(whole)
    assert_is_one_save(path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_is_cut_off_or_longer_is_detected_and_named(tmp_path, name):
    path = tmp_path / name
    save(make(1.5), path)
    for file in files_of(path):
        whole = file.read_bytes()
        for size in (0, 1, 7, 9, 50, len(whole) // 2, len(whole) - 9, len(whole) - 1, len(whole) + 1):
            file.write_bytes(whole[:size] + bytes(max(0, size - len(whole))))
            with pytest.raises(ValueError, match=file.name.replace(".", r"\.")):
                load(path)
        file.write_bytes(whole)


def test_shards_of_another_save_or_missing_ones_are_named(tmp_path):
    path = tmp_path / "m.weights.json"
    save(make(1.0), path)
    (shard,) = tmp_path.glob("m_*")
    first = shard.read_bytes()
    (tmp_path / "m.weights.json").unlink()
    save(make(2.0), path)
    shard.write_bytes(first)  # sealed, but of the save before
    with pytest.raises(ValueError, match=f"{shard.name}.*to be from the save of"):
        load(path)
    shard.unlink()
    with pytest.raises(FileNotFoundError, match=shard.name):
        load(path)


# ----------------------------------------------------------------- full disk


@pytest.mark.parametrize("name", FORMATS)
def test_a_disk_that_fills_up_leaves_the_old_file_and_nothing_else(tmp_path, name):
    path = tmp_path / name
    save(make(1.0), path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    larger = keras.Sequential([keras.Input((3,)), keras.layers.Dense(9000), keras.layers.Dense(2)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))  # the system refuses to write more, as on a full disk
    try:
        with pytest.raises((OSError, RuntimeError)) as caught:
            save(larger, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "previous content is unchanged" in str(getattr(caught.value, "__notes__", ""))
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


# ------------------------------------------------------- kills and readers

WRITER = """
import itertools, sys
from pathlib import Path
from tests.saving.test_whole_files import make, save
print("ready", flush=True)
for value in itertools.count():
    for name in sys.argv[2:]:
        save(make(float(value), 200), Path(sys.argv[1], name))
    print(value, flush=True)
"""


def start_writer(folder, names):
    environment = {**os.environ, "KERAS_BACKEND": "numpy", "KERAS_VERBOSE": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WRITER, str(folder), *names]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    process.stdout.readline()
    return process


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_kill_at_any_moment_leaves_whole_files_of_every_format(tmp_path):
    for name in FORMATS:
        save(make(7.0, 200), tmp_path / name)
    for _ in range(4):
        process = start_writer(tmp_path, random.sample(FORMATS, len(FORMATS)))
        time.sleep(random.uniform(0, 0.15))
        kill(process)
        for name in FORMATS:
            assert_is_one_save(tmp_path / name, 200)


def test_reading_while_another_process_writes_always_works(tmp_path):
    for name in FORMATS:
        save(make(7.0, 200), tmp_path / name)
    process = start_writer(tmp_path, FORMATS)
    try:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            for name in FORMATS:
                assert_is_one_save(tmp_path / name, 200)
        assert process.poll() is None
    finally:
        kill(process)
