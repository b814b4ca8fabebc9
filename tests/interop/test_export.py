"""Models as programs of their engine: what is loaded without polykeras computes what the model does."""

import numpy as np
import pytest

import polykeras as keras

X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2)

    def call(self, x):
        return self.dense(x)


def sequential():
    layers = keras.layers
    stack = [layers.Dense(5, "relu"), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(2)]
    return keras.Sequential([keras.Input((4,)), *stack])


def by_name():
    inputs = {name: keras.Input((4,), name=name) for name in ("x", "y")}
    added = keras.layers.Add()([keras.layers.Dense(3)(inputs["x"]), inputs["y"][:, :3]])
    return keras.Model(inputs, [added, keras.layers.Dense(1)(added)])


MODELS = {"sequential": (sequential, X), "subclassed": (Subclassed, X), "dicts": (by_name, {"x": X, "y": X + 1})}


def on_host(tree):
    return [np.asarray(keras.ops.convert_to_numpy(x)) for x in keras.tree.flatten(tree)]


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_serves_batches_of_any_size(tmp_path, name):
    tf = pytest.importorskip("tensorflow")
    make, x = MODELS[name]
    with keras.backends.use("tensorflow"):
        model = make()
        model(x)
        model.export(tmp_path / "program")
        program = tf.saved_model.load(str(tmp_path / "program"))
        for inputs in (x, keras.tree.map_structure(lambda part: part[:2], x)):
            tensors = keras.tree.map_structure(tf.constant, inputs)
            for found, expected in zip(on_host(program.serve(tensors)), on_host(model(inputs)), strict=True):
                np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        loaded = keras.layers.TFSMLayer(tmp_path / "program")
        assert len(loaded.weights) == len(model.weights)


@pytest.mark.parametrize("given", [list, tuple])
@pytest.mark.parametrize("called", [list, tuple])
def test_a_layer_of_a_saved_model_takes_a_list_for_a_tuple(tmp_path, given, called):
    pytest.importorskip("tensorflow")

    class Difference(keras.Model):
        def call(self, inputs):
            x, rest = inputs
            return x - rest[0] * rest[1]

    with keras.backends.use("tensorflow"):
        model = Difference()
        model(given([X, given([X, X + 1])]))
        model.export(tmp_path / "program")
        layer = keras.layers.TFSMLayer(tmp_path / "program")
        (found,) = on_host(layer(called([X, called([X, X + 1])])))
    np.testing.assert_allclose(found, X - X * (X + 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_a_program_of_torch_computes_what_the_model_does(tmp_path, name):
    torch = pytest.importorskip("torch")
    make, x = MODELS[name]
    with keras.backends.use("torch"):
        model = make()
        model(x)
        row = keras.tree.map_structure(lambda part: part[:1], x)
        model.export(tmp_path / "program.pt2", format="torch")
        program = torch.export.load(tmp_path / "program.pt2").module()
        outputs = program(keras.tree.map_structure(torch.from_numpy, row))
        for found, expected in zip(on_host(outputs), on_host(model(row)), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


RECURRENT = {
    "lstm": lambda: keras.layers.LSTM(3),
    "both_ways": lambda: keras.layers.Bidirectional(keras.layers.GRU(3)),
    "cells": lambda: keras.layers.RNN([keras.layers.LSTMCell(2), keras.layers.SimpleRNNCell(3)]),
    "each_step": lambda: keras.layers.TimeDistributed(keras.layers.Dense(2)),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_a_module_of_a_recurrent_model_is_exported_for_batches_of_any_size(name):
    torch = pytest.importorskip("torch")
    from polykeras.interop.torch import as_module

    with keras.backends.use("torch"):
        x = torch.randn(3, 5, 4)
        model = keras.Sequential([keras.Input((5, 4)), RECURRENT[name]()])
        rows = {0: torch.export.Dim("rows")}
        program = torch.export.export(as_module(model).eval(), (x,), dynamic_shapes=((rows,),)).module()
        for inputs in (x, x[:2]):
            np.testing.assert_allclose(*on_host([program(inputs), model(inputs)]), rtol=1e-4, atol=1e-6)


def test_a_signature_and_options_reach_torch(tmp_path):
    torch = pytest.importorskip("torch")
    with keras.backends.use("torch"):
        model = sequential()
        spec = keras.InputSpec(shape=(2, 4), dtype="float32")
        dynamic = ({0: torch.export.Dim("rows")},)
        model.export(tmp_path / "any.pt2", "torch", input_signature=[spec], dynamic_shapes=dynamic)
        program = torch.export.load(tmp_path / "any.pt2").module()
        assert program(torch.from_numpy(X)).shape == (3, 2)
        with pytest.raises(ValueError, match=r"torch.export.export.*Received: \['shape'\]"):
            model.export(tmp_path / "any.pt2", "torch", shape=1)


def test_an_archive_holds_functions_of_several_layers(tmp_path):
    tf = pytest.importorskip("tensorflow")
    with keras.backends.use("tensorflow"):
        first, second = keras.layers.Dense(2), keras.layers.MultiHeadAttention(2, 2)
        pair = np.ones((2, 3, 4), "float32"), np.ones((2, 5, 4), "float32")
        expected = first(X), second(*pair)
        archive = keras.export.ExportArchive()
        archive.track(second)
        archive.add_endpoint("one", first.call, [tf.TensorSpec((None, 4))])
        specs = [tf.TensorSpec((None, 3, 4)), keras.InputSpec(shape=(None, 5, 4), dtype="float32")]
        archive.add_endpoint("two", second.call, specs)
        archive.add_variable_collection("kernels", [first.kernel])
        with pytest.raises(ValueError, match="unused endpoint name"):
            archive.add_endpoint("one", first.call, [tf.TensorSpec((None, 4))])
        archive.write_out(tmp_path, verbose=False)
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(loaded.one(X), expected[0], rtol=1e-5)
    np.testing.assert_allclose(loaded.two(*pair), expected[1], rtol=1e-5)
    assert len(loaded.kernels) == 1


def test_what_cannot_be_exported_is_told(backend, tmp_path):
    model = sequential()
    other = "torch" if backend.name != "torch" else "tf_saved_model"
    with pytest.raises(RuntimeError, match=f"to_backend.*{'torch' if other == 'torch' else 'tensorflow'}"):
        model.export(tmp_path / "x", other)
    with pytest.raises(NotImplementedError, match="'onnx', which is not implemented yet"):
        model.export(tmp_path / "x", "onnx")
    with pytest.raises(ValueError, match="a .tflite file"):
        model.export(tmp_path / "x.txt", "litert")
    if backend.name != "tensorflow":
        with pytest.raises(RuntimeError, match="backend 'tensorflow' for an ExportArchive"):
            keras.export.ExportArchive()


def test_a_program_of_torch_updates_at_starts_that_are_computed(tmp_path):
    torch = pytest.importorskip("torch")

    class Shifted(keras.Model):
        def call(self, inputs):
            start = keras.ops.convert_to_tensor([0, 2])
            block = keras.ops.slice(inputs, start, (1, 2))
            return keras.ops.slice_update(inputs, start - start, block)

    with keras.backends.use("torch"):
        model, x = Shifted(), np.array([[1.0, 2.0, 3.0, 4.0]], "float32")
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(x)), [[3.0, 4.0, 3.0, 4.0]])
        model.export(str(tmp_path / "model.pt2"), format="torch")
    program = torch.export.load(str(tmp_path / "model.pt2")).module()
    np.testing.assert_array_equal(program(torch.tensor(x)).numpy(), [[3.0, 4.0, 3.0, 4.0]])
