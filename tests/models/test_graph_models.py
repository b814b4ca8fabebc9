"""Models made from inputs and outputs, and stacks."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops


def numpy_of(x):
    return ops.convert_to_numpy(x)


def dense(x, layer):
    kernel, bias = layer.get_weights()
    return x @ kernel + bias


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(5, 8)).astype("float32")


def test_two_inputs_a_shared_layer_and_two_outputs_compute_what_they_say(backend, x):
    left, right = keras.Input((8,)), keras.Input((8,))
    shared, score, kind = layers.Dense(4), layers.Dense(1, name="score"), layers.Dense(3, name="kind")
    joined = layers.concatenate([shared(left), shared(right)])
    model = keras.Model([left, right], [score(joined), kind(joined)])
    first, second = model.predict([x, x + 1], verbose=0)
    expected = np.concatenate([dense(x, shared), dense(x + 1, shared)], -1)
    np.testing.assert_allclose(first, dense(expected, score), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(second, dense(expected, kind), rtol=1e-4, atol=1e-5)
    assert model.output_names == ["score", "kind"]
    assert len(model.weights) == 6


def test_dicts_and_nested_structures_of_inputs_and_outputs(backend, x):
    inputs = {"a": keras.Input((8,), name="a"), "b": [keras.Input((8,), name="b0"), keras.Input((8,), name="b1")]}
    total = layers.Add()([inputs["a"], *inputs["b"]])
    model = keras.Model(inputs, {"sum": total, "parts": [inputs["a"] * 2.0, total - 1.0]})
    result = model({"a": x, "b": [x, 2 * x]})
    np.testing.assert_allclose(numpy_of(result["sum"]), 4 * x, rtol=1e-5)
    np.testing.assert_allclose(numpy_of(result["parts"][0]), 2 * x, rtol=1e-5)
    np.testing.assert_allclose(numpy_of(result["parts"][1]), 4 * x - 1, rtol=1e-5, atol=1e-5)


def test_a_list_model_takes_a_dict_by_input_names(backend, x):
    a, b = keras.Input((8,), name="a"), keras.Input((8,), name="b")
    model = keras.Model([a, b], a - b)
    np.testing.assert_allclose(numpy_of(model({"b": x, "a": 3 * x})), 2 * x, rtol=1e-5)


def test_ops_on_symbolic_tensors_become_part_of_the_graph(backend, x):
    inputs = keras.Input((8,))
    model = keras.Model(inputs, ops.exp(inputs)[:, :3] + ops.sum(inputs, axis=-1, keepdims=True))
    expected = np.exp(x)[:, :3] + x.sum(-1, keepdims=True)
    np.testing.assert_allclose(numpy_of(model(x)), expected, rtol=1e-4, atol=1e-5)


def test_models_nest_and_inner_tensors_make_sub_models(backend, x):
    inputs = keras.Input((8,))
    hidden = layers.Dense(4, activation="relu")(inputs)
    inner = keras.Model(inputs, layers.Dense(2)(hidden))
    outer_input = keras.Input((8,))
    outer = keras.Model(outer_input, layers.Dense(1)(inner(outer_input)))
    features = keras.Model(inner.inputs, hidden)
    rest = keras.Model(hidden, inner.outputs[0])
    whole = numpy_of(inner(x))
    np.testing.assert_allclose(numpy_of(rest(features(x))), whole, rtol=1e-5)
    np.testing.assert_allclose(numpy_of(outer(x)), dense(whole, outer.layers[-1]), rtol=1e-4, atol=1e-6)
    assert {id(w) for w in inner.weights} <= {id(w) for w in outer.weights}


def test_the_order_of_layers_and_weights_is_that_of_real_keras(real_keras):
    def build(k):
        a, b = k.Input((4,), name="a"), k.Input((3,), name="b")
        h = k.layers.Dense(5, name="h")(b)
        g = k.layers.Dense(5, name="g")(a)
        late = k.layers.Dense(2, name="late")(k.layers.Dense(6, name="mid")(g))
        out = k.layers.Concatenate(name="cat")([late, h])
        return k.Model([a, b], [k.layers.Dense(1, name="out")(out), k.layers.Dense(1, name="side")(g)])

    ours, theirs = build(keras), build(real_keras)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]


def test_a_graph_survives_its_config(backend, x):
    inputs = keras.Input((8,), name="in")
    shared = layers.Dense(8, activation="tanh", name="shared")
    h = shared(shared(inputs))
    h = layers.Add(name="add")([h, inputs]) * 2.0
    model = keras.Model(inputs, {"y": layers.Dense(2, name="y")(h)}, name="net")
    copy = keras.Model.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(numpy_of(copy(x)["y"]), numpy_of(model(x)["y"]))
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]


def test_cloning_makes_new_weights_of_the_same_shapes(backend, x):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(3), layers.Dense(2)])
    clone = keras.models.clone_model(model)
    assert [w.shape for w in clone.weights] == [w.shape for w in model.weights]
    assert not {id(w) for w in clone.weights} & {id(w) for w in model.weights}
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(numpy_of(clone(x)), numpy_of(model(x)), rtol=1e-6)
    inputs = keras.Input((8,))
    graph = keras.Model(inputs, layers.Dense(1)(inputs) + 1.0)
    clone = keras.models.clone_model(graph)
    clone.set_weights(graph.get_weights())
    np.testing.assert_allclose(numpy_of(clone(x)), numpy_of(graph(x)), rtol=1e-6)


def test_a_stack_defers_building_until_it_sees_data(backend, x):
    model = keras.Sequential([layers.Dense(3)])
    model.add(layers.Dense(2))
    assert not model.built and model.weights == []
    assert numpy_of(model(x)).shape == (5, 2)
    assert model.built and [w.shape for w in model.weights] == [(8, 3), (3,), (3, 2), (2,)]


def test_pop_takes_the_last_layer_off(backend, x):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(3), layers.Dense(2)])
    popped = model.pop()
    assert popped.units == 2 and model.output_shape == (None, 3)
    assert numpy_of(model(x)).shape == (5, 3)
    with pytest.raises(TypeError, match="without layers"):
        keras.Sequential().pop()


def test_subclassed_models_build_at_their_first_call(backend, x):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [layers.Dense(4, activation="relu") for _ in range(2)]
            self.heads = {"a": layers.Dense(1), "b": layers.Dense(2)}

        def call(self, inputs):
            for block in self.blocks:
                inputs = block(inputs)
            return {name: head(inputs) for name, head in self.heads.items()}

    model = Net()
    result = model(x)
    assert numpy_of(result["a"]).shape == (5, 1) and numpy_of(result["b"]).shape == (5, 2)
    assert len(model.weights) == 8 and len(model.trainable_variables) == 8
    assert model.predict(x, verbose=0)["b"].shape == (5, 2)


def test_freezing_a_layer_or_model_freezes_what_is_inside():
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(3), layers.BatchNormalization()])
    model = keras.Sequential([keras.Input((8,)), inner, layers.Dense(2)])
    assert len(model.trainable_weights) == 6 and len(model.non_trainable_weights) == 2
    inner.trainable = False
    assert len(model.trainable_weights) == 2 and len(model.non_trainable_weights) == 6
    inner.trainable = True
    inner.layers[0].trainable = False
    assert len(model.trainable_weights) == 4


def test_a_disconnected_graph_names_the_missing_input():
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    with pytest.raises(ValueError, match="'b'"):
        keras.Model(a, a + b)


def test_duplicate_layer_names_are_refused():
    with pytest.raises(ValueError, match="second layer named 'twin'"):
        keras.Sequential([keras.Input((2,)), layers.Dense(1, name="twin"), layers.Dense(1, name="twin")])
    x = keras.Input((2,))
    with pytest.raises(ValueError, match="twin"):
        keras.Model(x, layers.Dense(1, name="twin")(layers.Dense(1, name="twin")(x)))


def test_wrong_inputs_name_the_model_what_was_expected_and_what_came(backend, x):
    model = keras.Sequential([keras.Input((8,), name="pixels"), layers.Dense(3, name="first")], name="net")
    with pytest.raises(ValueError, match=r"(net|first).*[Ee]xpected.*8.*Received.*7"):
        model(x[:, :7])
    with pytest.raises(ValueError, match="Expected.*Received"):
        model.predict(np.zeros((2, 3, 8)), verbose=0)
    with pytest.raises(ValueError, match="Did you mean 'first'"):
        model.get_layer("frist")


@pytest.mark.parametrize("when", ["with an input", "added to", "built", "called"])
def test_paths_of_a_stacks_weights_begin_with_its_name(when, backend, x):
    inner = keras.Sequential([keras.Input((8,)), layers.BatchNormalization(name="norm")], name="inner")
    model = keras.Sequential([keras.Input((8,))] if when in ("with an input", "added to") else [], name="stack")
    for layer in (layers.Dense(8, name="dense"), inner):
        model.add(layer)
    if when == "added to":
        model.add(layers.Dense(2, name="last"))
    if when == "built":
        model.build((None, 8))
    if when == "called":
        model(x)
    paths = [variable.path for variable in model.weights]
    assert paths[:2] == ["stack/dense/kernel", "stack/dense/bias"]
    assert paths[2:4] == ["inner/norm/gamma", "inner/norm/beta"]
