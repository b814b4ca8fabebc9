"""What steps on NumPy may do to be run from a list of their operations."""

import numpy as np
import pytest

from polykeras.backends.numpy.replay import Replayed


@pytest.fixture
def made_of():
    """Makes a compiled function on NumPy of source that counts as polykeras's own."""

    def make(source):
        names = {"__name__": "polykeras.made", "np": np}
        exec(source, names)
        return Replayed(names["step"])

    return make


@pytest.mark.parametrize(
    ("body", "is_replayed"),
    [
        ("return [w + x], x * 2", True),
        ("w -= x; return [w], x.sum()", True),
        ("return [w.reshape(2, 2).T[::-1].ravel() + x], np.where(x > 1, x, -x)", True),
        ("y = np.zeros(4); y[:] = x; return [w], y", False),  # the value leaves what tells of it
        ("return [w], x * float(w[0])", False),
        ("return [w], x if x[0] > 2 else -x", False),
        ("y = np.zeros(4); y += x; return [w], y", False),
        ("return [w], np.asarray(x) * 2", False),
        ("return [w], x * np.array_equal(w, x)", False),
    ],
)
def test_what_a_list_cannot_repeat_on_numpy_is_called(made_of, body, is_replayed):
    step = made_of(f"def step(state, x):\n    [w] = state\n    {body}")
    plain = step._function
    for factor in (1.0, 2.0, 3.0):
        w, x = np.arange(4.0) + factor, np.arange(4.0) * factor
        (expected,), output = plain([w.copy()], x)
        (found,), other = step([w], x)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(other, output)
    assert [tape is not None for tape in step._tapes.values()] == [is_replayed]


def test_an_update_in_place_spares_memory_that_must_not_change(made_of):
    step = made_of("def step(state, x):\n    return [state[0] - x], x")
    shared = np.broadcast_to(np.float32(1), (3,))
    (found,), _ = step([shared], np.ones(3, "float32"))
    assert found.tolist() == [0, 0, 0] and shared.tolist() == [1, 1, 1]
