"""Names with an underscore that programs choose for parts and methods of their own layers, models and optimizers."""

import numpy as np
import pytest

import polykeras as keras

PARTS = [
    "_accepted",
    "_added",
    "_added_in_graph",
    "_arguments",
    "_blocks",
    "_body",
    "_cells",
    "_chain",
    "_children",
    "_compiled",
    "_encoder",
    "_fit_layers",
    "_graph_layers",
    "_head",
    "_input_layer",
    "_inputs_structure",
    "_inner",
    "_inner_tensors",
    "_mode",
    "_module",
    "_network",
    "_node",
    "_nodes",
    "_own",
    "_parts",
    "_plan",
    "_policies",
    "_results",
    "_signature",
    "_snapshot",
    "_stack",
    "_stages",
    "_start",
    "_state",
    "_step",
    "_steps",
    "_sublayers",
    "_units",
    "_weights",
]
METHODS = [
    "_accept",
    "_apply",
    "_arguments",
    "_captured",
    "_check_batch",
    "_check_inputs",
    "_collect",
    "_compile",
    "_compute",
    "_convert",
    "_encode",
    "_evaluate",
    "_fit",
    "_forward",
    "_infer",
    "_inner_step",
    "_make_step",
    "_own",
    "_owned",
    "_plan",
    "_predict",
    "_prepare",
    "_process",
    "_results",
    "_returned",
    "_run",
    "_scaled",
    "_signature",
    "_snapshot",
    "_start",
    "_step",
    "_sublayers",
    "_train",
    "_transform",
]
X, Y = np.random.default_rng(0).normal(size=(8, 3)).astype("float32"), np.ones((8, 1), "float32")


def _model(base, name, value):
    """A trained model whose class, or whose layer's class, has an attribute of this name."""

    class Own(base):
        def __init__(self):
            super().__init__()
            self.first, self.second = keras.layers.Dense(3), keras.layers.Dense(1)
            if not callable(value):
                setattr(self, name, [self.first, self.second])
                del self.first, self.second

        def call(self, inputs):
            for layer in (self.first, self.second) if callable(value) else getattr(self, name):
                inputs = layer(inputs)
            return inputs

    if callable(value):
        setattr(Own, name, value)
    model = Own() if base is keras.Model else keras.Sequential([Own()])
    model.compile("sgd", "mse")
    losses = model.fit(X, Y, epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0] and len(model.trainable_weights) == 4
    return model


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("base", [keras.Model, keras.layers.Layer])
def test_layers_under_any_private_name_are_trained_and_saved(base, name, tmp_path):
    first, second = (_model(base, name, None) for _ in range(2))
    first.save_weights(tmp_path / "a.weights.h5")
    second.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_allclose(first.predict(X, verbose=0), second.predict(X, verbose=0), rtol=1e-6)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("base", [keras.Model, keras.layers.Layer])
def test_methods_of_any_private_name_are_the_programs_own(base, name):
    model = _model(base, name, lambda self, one: ("own", one))
    model.evaluate(X, Y, verbose=0)
    model.summary(print_fn=lambda text, line_break=False: None)
    owner = model if base is keras.Model else model.layers[0]
    assert getattr(owner, name)(1) == ("own", 1)


@pytest.mark.parametrize("cls", [keras.optimizers.Adam, keras.optimizers.Adagrad, keras.optimizers.Nadam])
def test_an_optimizer_may_have_a_method_step_of_its_own(cls):
    own = type("Own", (cls,), {"_step": lambda self: 1 / 0})
    weights = []
    for made in (cls, own):
        weight = keras.Variable([1.0, -2.0])
        for _ in range(2):
            made(0.1).apply([np.array([0.5, 0.25], "float32")], [weight])
        weights.append(keras.ops.convert_to_numpy(weight))
    np.testing.assert_array_equal(*weights)


def test_parts_under_names_of_models_are_trained_on_each_engine(backend):
    for name in ("_stack", "_steps", "_arguments", "_step"):
        _model(keras.Model, name, None)
