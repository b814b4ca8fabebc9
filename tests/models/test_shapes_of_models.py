"""The shapes of a model's inputs and outputs, as Keras 3 shows them: one, or a list, whatever structure they have."""

import pytest

import polykeras as keras


def _build(keras):
    one, two = keras.Input((3,)), keras.Input((2,))
    out = keras.layers.Dense(1)(one)
    both = keras.layers.Concatenate()([one, two])
    return [
        keras.Model(one, out),
        keras.Model([one], [out]),
        keras.Model({"a": one}, {"b": out}),
        keras.Model([one, two], [out, both]),
        keras.Model((one, two), both),
        keras.Model({"a": one, "b": two}, {"c": out, "d": both}),
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)]),
    ]


@pytest.mark.parametrize("index", range(7))
def test_shapes_are_those_of_keras(real_keras, index):
    ours, theirs = _build(keras)[index], _build(real_keras)[index]
    assert (ours.input_shape, ours.output_shape) == (theirs.input_shape, theirs.output_shape)
    assert type(ours.input_shape) is type(theirs.input_shape)


def test_a_model_without_a_graph_has_no_shapes_and_may_set_them():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.input_shape = (3, 4)

    assert Own().input_shape == (3, 4)
    with pytest.raises(AttributeError, match="seen no shape"):
        _ = keras.Sequential([keras.layers.Dense(2)]).output_shape
