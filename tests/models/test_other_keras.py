"""Programs that import some names from polykeras and others from another Keras."""

import numpy as np
import pytest

import polykeras as keras


def cloned(theirs):
    keras.models.clone_model(theirs.Sequential([theirs.Input((2,)), theirs.layers.Dense(2)]))


def compiled(theirs):
    keras.Sequential([keras.Input((2,))]).compile(theirs.optimizers.Adam(), "mse")


#: What a program does with a name of another Keras, and what is named in the message.
MIXED = {
    "layer": (lambda theirs: keras.layers.Dense(3)(theirs.Input((2,))), "Layer 'dense.*arrays.*KerasTensor"),
    "op": (lambda theirs: keras.ops.add(theirs.Input((2,)), 1), "KerasTensor"),
    "model": (lambda theirs: keras.Model(theirs.Input((2,)), theirs.Input((2,))), "Model 'func.*KerasTensor"),
    "input": (lambda theirs: keras.Sequential([theirs.Input((2,))]), "Model 'seq.*layers.*KerasTensor"),
    "added": (lambda theirs: keras.Sequential([theirs.layers.Dense(2)]), "Model 'seq.*layers.*Dense"),
    "optimizer": (compiled, "an optimizer.*Adam"),
    "clone": (cloned, "a model.*Sequential"),
}


@pytest.mark.parametrize("name", MIXED)
def test_parts_of_another_keras_are_refused_by_name(backend, real_keras, name):
    run, message = MIXED[name]
    with pytest.raises(TypeError, match=f"{message} of another Keras.*polykeras run"):
        run(real_keras)


def test_variables_of_another_keras_are_values(backend, real_keras):
    theirs = real_keras.Variable(np.arange(3, dtype="float32"))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(keras.ops.add(theirs, 1.0)), [1, 2, 3])
