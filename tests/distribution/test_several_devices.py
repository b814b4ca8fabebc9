"""Training on eight devices, which XLA makes of one processor: the checks of ``on_eight_devices.py``."""

import ast
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import polykeras as keras

PROGRAM = Path(__file__).with_name("on_eight_devices.py")
ROOT = str(PROGRAM.parent.parent.parent)
CHECKS = [node.name for node in ast.parse(PROGRAM.read_text()).body if getattr(node, "name", "").startswith("check_")]

pytest.importorskip("jax")


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    path = tmp_path_factory.mktemp("distribution") / "failures.json"
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8"
    settings = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    environment = {**os.environ, **settings, "PYTHONPATH": ROOT}
    subprocess.run([sys.executable, str(PROGRAM), str(path)], env=environment, check=True)
    return json.loads(path.read_text())


@pytest.mark.parametrize("check", CHECKS)
def test_on_eight_devices(failures, check):
    assert failures[check] == "", failures[check]


def test_two_processes_train_as_one_does(monkeypatch):
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    from on_two_processes import losses

    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    settings = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "KERAS_VERBOSE": "0"}
    settings |= {
        "PYTHONPATH": ROOT,
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"localhost:{port}",
        "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
    }
    program = [sys.executable, str(PROGRAM.with_name("on_two_processes.py"))]
    started = [
        subprocess.Popen(program, env={**settings, "KERAS_DISTRIBUTION_PROCESS_ID": number}, stdout=subprocess.PIPE)
        for number in "01"
    ]
    results = [json.loads(process.communicate(timeout=120)[0].splitlines()[-1]) for process in started]
    with keras.backends.use("jax"):
        expected = losses(slice(None), 16)
    for count, found in results:
        assert count == 2
        np.testing.assert_allclose(found, expected, rtol=1e-5)
