"""A program on eight devices that runs checks and writes what failed as JSON; see ``test_several_devices.py``."""

import contextlib
import copy
import functools
import json
import pickle
import sys
import tempfile
import traceback
from pathlib import Path

import jax
import numpy as np

import polykeras as keras
from polykeras import distribution, layers

DEVICES = distribution.list_devices()
NOWHERE = contextlib.nullcontext()


def over(count):
    return distribution.DataParallel(devices=DEVICES[:count])


def split_kernels():
    layouts = distribution.LayoutMap(distribution.DeviceMesh((2, 4), ["batch", "model"]))
    layouts[".*dense[^/]*/kernel"] = (None, "model")
    layouts[".*dense[^/]*/bias"] = ("model",)
    return distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch")


def images(rows=48):
    x = np.random.default_rng(0).normal(size=(rows, 6, 6, 2)).astype("float32")
    return x, (x.mean((1, 2, 3)) > 0).astype("int32")


def network(dtype=None):
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(4, 3, activation="relu", dtype=dtype, name="first"),
            layers.BatchNormalization(dtype=dtype),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(8, "relu", dtype=dtype),
            layers.Dense(4, dtype=dtype),
        ]
    )


def trained(scope=NOWHERE, make=network, rows=48, loss=None, **options):
    keras.utils.set_random_seed(3)
    with scope:
        model = make()
        loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, steps_per_execution=options.pop("together", 1))
        x, y = images(rows)
        history = model.fit(x, y, **{"batch_size": 16, "epochs": 2, "verbose": 0, **options}).history
        outputs = model.predict(x, batch_size=rows, verbose=0)
    return model, np.array(history["loss"]), outputs


@functools.cache
def on_one_device():
    return trained()


def assert_same(found, expected, tolerance=2e-5):
    for one, other in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def shapes(variable):
    return {shard.data.shape for shard in variable.value.addressable_shards}


def check_curves_of_a_network_with_batch_statistics_and_dropout():
    for count in (1, 2, 4, 8):
        found = trained(over(count).scope())
        assert_same(found, on_one_device())
        kernel = found[0].layers[0].kernel.value
        assert len(kernel.sharding.device_set) == count and kernel.sharding.is_fully_replicated


def check_curves_with_several_steps_in_a_dispatch():
    assert_same(trained(over(8).scope(), together=3), trained(together=3))


def check_curves_of_batches_that_do_not_divide():
    assert_same(trained(over(8).scope(), batch_size=9), trained(batch_size=9))


def check_curves_of_a_generator():
    def batches():
        x, y = images()
        for start in range(0, 48, 16):
            yield x[start : start + 16], y[start : start + 16]

    def curve(scope):
        keras.utils.set_random_seed(1)
        with scope:
            model = network()
            model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            return [model.fit(batches(), verbose=0).history["loss"] for _ in range(2)]

    np.testing.assert_allclose(curve(over(8).scope()), curve(NOWHERE), rtol=1e-5)


def check_curves_of_eager_steps():
    def curve(scope):
        keras.utils.set_random_seed(1)
        with scope:
            model = keras.Sequential([keras.Input((6, 6, 2)), layers.Flatten(), layers.Dense(4)])
            model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
            return model.fit(*images(16), batch_size=8, verbose=0).history["loss"]

    np.testing.assert_allclose(curve(over(4).scope()), curve(NOWHERE), rtol=1e-5)


def check_curves_of_a_recurrent_network():
    def make():
        reshape = layers.Reshape((6, 12))
        return keras.Sequential([keras.Input((6, 6, 2)), reshape, layers.LSTM(4), layers.Dense(4)])

    expected = trained(make=make)
    assert_same(trained(over(8).scope(), make), expected)


class OwnStep(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = network()

    def call(self, x, training=None):
        return self.inner(x, training=training)

    def train_step(self, data):
        x, y = data

        def loss():
            return self.compute_loss(x, y, self(x, training=True))

        value, gradients = keras.ops.value_and_grad(loss, self.trainable_variables)()
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": value}


def check_curves_of_an_own_step():
    assert_same(trained(over(8).scope(), OwnStep), trained(make=OwnStep))


def check_curves_in_mixed_precision_and_double_precision():
    for dtype, tolerance in (("mixed_float16", 0.02), ("float64", 1e-6)):
        make = functools.partial(network, dtype)
        assert_same(trained(over(8).scope(), make), trained(make=make), tolerance)


def check_split_kernels_and_their_slots():
    found = trained(split_kernels().scope())
    assert_same(found, on_one_device())
    model = found[0]
    dense = model.layers[-2]
    assert shapes(dense.kernel) == {(64, 2)} and shapes(dense.bias) == {(2,)}
    assert shapes(model.layers[0].kernel) == {(3, 3, 2, 4)}
    slots = [v for v in model.optimizer.variables if v.shape == (64, 8)]
    assert len(slots) == 2 and all(shapes(v) == {(64, 2)} for v in slots)
    assert shapes(copy.deepcopy(dense.kernel)) == {(64, 2)}
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dense.kernel)).numpy(), dense.kernel.numpy())
    dense.kernel.assign(np.ones((64, 8)))
    assert shapes(dense.kernel) == {(64, 2)}


def check_layers_whose_outputs_have_a_layout():
    plan = split_kernels()
    plan._layout_map[".*first/output"] = ("batch", None, None, "model")
    assert_same(trained(plan.scope()), on_one_device())


def check_models_made_before():
    keras.utils.set_random_seed(3)
    before, (x, y) = network(), images()
    before.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = list(before.fit(x, y, batch_size=16, verbose=0).history["loss"])
    with split_kernels().scope():
        losses += before.fit(x, y, batch_size=16, verbose=0).history["loss"]
    kernel = before.layers[-2].kernel
    assert shapes(kernel) == {(64, 2)}
    assert all(shapes(v) == {(64, 2)} for v in before.optimizer.variables if v.shape == (64, 8))
    losses += before.fit(x, y, batch_size=16, verbose=0).history["loss"]  # on the devices that hold its weights
    keras.utils.set_random_seed(3)
    model = network()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    expected = [model.fit(x, y, batch_size=16, verbose=0).history["loss"][0] for _ in range(3)]
    np.testing.assert_allclose(losses, expected, rtol=2e-5)


def check_other_devices_are_refused():
    model = trained(over(2).scope(), rows=16)[0]
    with over(4).scope(), contextlib.suppress(ValueError):
        model.fit(*images(16), verbose=0)
        raise AssertionError("a model on two devices trained on four")


def check_shapes_that_do_not_divide_are_refused():
    layouts = distribution.LayoutMap(distribution.DeviceMesh((1, 8), ["batch", "model"]))
    layouts[".*kernel"] = (None, "model")
    with distribution.ModelParallel(layout_map=layouts).scope():
        layer = layers.Dense(6)
        layer.build((None, 3))
        try:
            layer.kernel.numpy()
            layer(np.ones((2, 3)))
        except ValueError as error:
            assert "kernel" in str(error) and "(3, 6)" in str(error), error
        else:
            raise AssertionError("6 columns over 8 devices")


def check_files_are_the_same_for_any_number_of_devices():
    x, _ = images()
    model, _, outputs = trained(split_kernels().scope())
    with tempfile.TemporaryDirectory() as folder:
        for suffix, scope in ((".keras", NOWHERE), (".weights.h5", over(8).scope())):
            path = str(Path(folder) / f"model{suffix}")
            with scope:
                if suffix == ".keras":
                    model.save(path)
                    loaded = keras.models.load_model(path)
                else:
                    model.save_weights(path)
                    loaded = network()
                    loaded.load_weights(path)
                np.testing.assert_allclose(loaded.predict(x, batch_size=48, verbose=0), outputs, rtol=1e-5, atol=1e-6)
        single = on_one_device()[0]
        path = str(Path(folder) / "single.keras")
        single.save(path)
        with split_kernels().scope():
            loaded = keras.models.load_model(path)
            found, expected = (model.predict(x, batch_size=48, verbose=0) for model in (loaded, single))
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
            assert shapes(loaded.layers[-2].kernel) == {(64, 2)}
            assert any(shapes(v) == {(64, 2)} for v in loaded.optimizer.variables)


def check_an_interrupted_training_goes_on():
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def curve(folder, scopes):
        losses = []
        for scope, callbacks in scopes:
            keras.utils.set_random_seed(3)
            backup = [] if folder is None else [keras.callbacks.BackupAndRestore(folder)]
            record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: losses.append(logs["loss"]))
            with scope, contextlib.suppress(KeyboardInterrupt):
                model = network()
                model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
                callbacks = [record, *backup, *callbacks]
                model.fit(*images(), batch_size=16, epochs=4, verbose=0, callbacks=callbacks)
        return losses

    with tempfile.TemporaryDirectory() as folder:
        found = curve(folder, [(over(8).scope(), [Interrupt()]), (over(4).scope(), [])])
    np.testing.assert_allclose(found, curve(None, [(NOWHERE, [])]), rtol=2e-5)


def check_steps_on_a_batch():
    def results(scope):
        keras.utils.set_random_seed(3)
        with scope:
            model = network()
            model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            x, y = images(16)
            found = [model.train_on_batch(x, y), model.train_on_batch(x[:10], y[:10]), model.test_on_batch(x, y)]
            return np.array(found), model.predict_on_batch(x), np.asarray(model(x[:3]))

    for found, expected in zip(results(over(8).scope()), results(NOWHERE), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def check_arrays_in_a_layout():
    mesh = distribution.DeviceMesh((2, 4), ["batch", "model"])
    layout = distribution.TensorLayout(("batch", "model"), mesh)
    x = keras.ops.reshape(keras.ops.arange(64, dtype="float32"), (8, 8))
    outside = distribution.distribute_tensor(x, layout)
    inside = jax.jit(lambda x: distribution.distribute_tensor(x * 1, layout))(x)
    for y in (outside, inside):
        assert {shard.data.shape for shard in y.addressable_shards} == {(4, 2)}
        np.testing.assert_array_equal(y, x)
    assert distribution.distribute_tensor(outside, layout) is outside
    assert isinstance(layout.backend_layout, jax.sharding.NamedSharding)
    assert isinstance(mesh.backend_mesh, jax.sharding.Mesh)
    variable = keras.Variable(np.zeros((8, 8)), layout=layout)
    variable.assign(x)
    assert shapes(variable) == {(4, 2)}
    held = variable.value
    variable.assign_add(1.0)
    np.testing.assert_array_equal(held, x)


def check_unknown_devices_are_refused():
    mesh = distribution.DeviceMesh((2,), ["batch"], ["cpu:0", "cpu:77"])
    try:
        print(mesh.backend_mesh)
    except ValueError as error:
        assert "cpu:77" in str(error), error
    else:
        raise AssertionError("there is no such device")


if __name__ == "__main__":
    failures = {}
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            try:
                check()
                failures[name] = ""
            except Exception:
                failures[name] = traceback.format_exc()
            distribution.set_distribution(None)
    Path(sys.argv[1]).write_text(json.dumps(failures))
