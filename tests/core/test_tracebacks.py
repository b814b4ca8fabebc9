"""Tracebacks show the user's own frames."""

import traceback
from pathlib import Path

import numpy as np
import pytest

import polykeras as keras
from polykeras import config, layers


@pytest.fixture
def filtering():
    config.enable_traceback_filtering()
    yield
    config.disable_traceback_filtering()


class Broken(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        raise OSError("no such image")


def frames(call):
    """Names of the functions in the traceback, and whether each belongs to the package."""
    package = str(Path(keras.__file__).parent)
    try:
        call()
    except (OSError, ValueError) as error:
        return [(frame.name, frame.filename.startswith(package)) for frame in traceback.extract_tb(error.__traceback__)]


def model():
    made = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def test_frames_of_the_package_are_left_out(filtering):
    def train():
        model().fit(Broken(workers=2), verbose=0)

    found = frames(train)
    assert [name for name, own in found if not own][:2] == ["frames", "train"]
    assert found[-1] == ("__getitem__", False)
    assert not any(own for _, own in found)


def test_an_error_that_the_package_raises_keeps_its_place(filtering):
    found = frames(lambda: model().fit(np.ones((3, 4)), np.ones((2, 1)), verbose=0))
    assert [own for _, own in found] == [False, False, True]


def test_all_frames_are_shown_on_request():
    config.disable_traceback_filtering()
    assert sum(own for _, own in frames(lambda: model().predict(Broken(), verbose=0))) > 3
