"""The era of Keras 2."""

import pytest

import polykeras as keras


@pytest.fixture
def keras_2():
    """The era of Keras 2 during a test."""
    keras.config.set_era("keras2")
    yield
    keras.config.set_era("keras3")
