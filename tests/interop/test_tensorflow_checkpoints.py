"""Models, layers, metrics and optimizers in TensorFlow's own checkpoints and SavedModels."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends
from tests.interop.idioms import X, Y, losses_of_fit, make_model

tf = pytest.importorskip("tensorflow")


@pytest.fixture(autouse=True)
def on_tensorflow():
    with backends.use("tensorflow"):
        yield


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.tops = keras.layers.Dense(4, "tanh"), [keras.layers.Dense(2), keras.layers.Dense(1)]

    def call(self, x):
        x = self.hidden(x)
        for layer in self.tops:
            x = layer(x)
        return x


def _trained():
    model = make_model(keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dense(1))
    losses_of_fit(model, keras.optimizers.Adam(0.1))
    return model


def _values(model):
    return model.get_weights() + model.optimizer.get_weights()


def _check_same(one, other):
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_checkpoint_brings_a_training_back_and_it_goes_on_as_it_did(tmp_path):
    model = _trained()
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer, step=tf.Variable(1))
    manager = tf.train.CheckpointManager(checkpoint, str(tmp_path), max_to_keep=1)
    manager.save()
    values = _values(model)
    losses = model.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"]
    checkpoint.restore(manager.latest_checkpoint).assert_consumed()
    _check_same(values, _values(model))
    assert model.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"] == losses


@pytest.mark.parametrize("make", [make_model, Net])
def test_values_restored_before_there_are_variables_are_theirs_from_the_start(tmp_path, make):
    model = make()
    losses_of_fit(model, keras.optimizers.Adam(0.1))
    path = tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(str(tmp_path / "c"))
    other = make()
    other.compile(keras.optimizers.Adam(0.1), "mse")
    status = tf.train.Checkpoint(model=other, optimizer=other.optimizer).restore(path)
    np.testing.assert_array_equal(other(X), model(X))
    other.optimizer.build(other.trainable_variables)
    status.assert_existing_objects_matched()
    _check_same(_values(model), _values(other))


def test_a_layer_is_restored_out_of_the_checkpoint_of_its_model(tmp_path):
    model, other = Net(), Net()
    model(X), other(X)
    path = tf.train.Checkpoint(net=model).save(str(tmp_path / "c"))
    part = tf.train.Checkpoint(net=tf.train.Checkpoint(hidden=other.hidden))
    part.restore(path).expect_partial()
    _check_same(model.hidden.get_weights(), other.hidden.get_weights())
    assert (model.tops[0].get_weights()[0] != other.tops[0].get_weights()[0]).any()


def test_a_checkpoint_may_have_a_model_for_its_root(tmp_path):
    model, other = _trained(), _trained()
    tf.train.Checkpoint(model).write(str(tmp_path / "c"))
    losses_of_fit(other, "sgd")
    tf.train.Checkpoint(root=other).read(str(tmp_path / "c")).assert_consumed()
    _check_same(model.get_weights(), other.get_weights())


def test_metrics_and_generators_of_random_numbers_are_kept(tmp_path):
    metric, drop = keras.metrics.Mean(), keras.layers.Dropout(0.5, seed=1)
    checkpoint = tf.train.Checkpoint(metric=metric, drop=drop)
    metric.update_state([1.0, 3.0])
    drop(X, training=True)
    path = checkpoint.save(str(tmp_path / "c"))
    expected = drop(X, training=True)
    metric.reset_state()
    checkpoint.restore(path).assert_consumed()
    assert float(metric.result()) == 2.0
    np.testing.assert_array_equal(drop(X, training=True), expected)


@pytest.mark.parametrize("make", [_trained, Net])
def test_a_saved_model_computes_what_the_model_did_for_batches_of_any_size(tmp_path, make):
    model = make()
    expected = model.predict(X, verbose=0)
    tf.saved_model.save(model, str(tmp_path))
    again = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(again(X), expected, rtol=1e-5)
    np.testing.assert_allclose(again.serve(X[:3]), expected[:3], rtol=1e-5)
    served = again.signatures["serving_default"](tf.constant(X[:1]))
    np.testing.assert_allclose(served["output_0"], expected[:1], rtol=1e-5)


def test_a_saved_model_takes_several_inputs_by_name(tmp_path):
    inputs = {"a": keras.Input((2,), name="a"), "b": keras.Input((2,), dtype="int32", name="b")}
    doubled = keras.layers.Lambda(lambda x: tf.cast(x, "float32") * 2)(inputs["b"])
    model = keras.Model(inputs, {"sum": inputs["a"] + doubled, "same": inputs["a"]})
    tf.saved_model.save(model, str(tmp_path))
    data = {"a": tf.ones((3, 2)), "b": tf.constant([[1, 2]] * 3)}
    found = tf.saved_model.load(str(tmp_path))(data)
    assert found["sum"].numpy().tolist() == [[3.0, 5.0]] * 3
    assert found["same"].numpy().tolist() == [[1.0, 1.0]] * 3


def test_what_is_set_after_a_saved_model_was_written_is_in_the_next_one(tmp_path):
    model = make_model(keras.layers.Dense(1))
    tf.saved_model.save(model, str(tmp_path / "one"))
    model.layers[0].activation = lambda x: x * 0.0
    tf.saved_model.save(model, str(tmp_path / "two"))
    one, two = (tf.saved_model.load(str(tmp_path / name))(X).numpy() for name in ("one", "two"))
    assert one.any()
    assert not two.any()


def test_a_module_of_tensorflow_saves_a_model_that_it_holds(tmp_path):
    class Doubling(tf.Module):
        def __init__(self, net):
            super().__init__()
            self.net, self.factor = net, tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec((None, 3))])
        def serve(self, x):
            return self.factor * self.net(x)

    model = _trained()
    tf.saved_model.save(Doubling(model), str(tmp_path))
    again = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(again.serve(X), 2 * model.predict(X, verbose=0), rtol=1e-5)


def test_kept_models_are_copied_and_pickled(tmp_path):
    model = _trained()
    tf.train.Checkpoint(model=model).save(str(tmp_path / "c"))
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        _check_same(model.get_weights(), again.get_weights())


def test_keeping_a_model_leaves_its_steps_as_they_are(tmp_path):
    class Counting(keras.layers.Layer):
        traced = 0

        def call(self, x):
            Counting.traced += 1
            return x

    model = make_model(keras.layers.Dense(2), Counting(), keras.layers.Dense(1))
    losses_of_fit(model, "sgd")
    tf.train.Checkpoint(model=model).save(str(tmp_path / "c"))
    model.fit(X, Y, verbose=0, batch_size=16)
    before = Counting.traced
    checkpoint = tf.train.Checkpoint(model=model)
    checkpoint.restore(checkpoint.save(str(tmp_path / "d")))
    model.fit(X, Y, verbose=0, batch_size=16)
    assert Counting.traced == before


def test_models_that_cannot_be_kept_say_why(tmp_path):
    with pytest.raises(ValueError, match=r"Expected a built model.*build\(input_shape\)"):
        tf.saved_model.save(Net(), str(tmp_path / "a"))
    with backends.use("numpy"):
        model = make_model()
    with pytest.raises(RuntimeError, match="'numpy'.*save_weights"):
        tf.train.Checkpoint(model=model).save(str(tmp_path / "b"))


FIRST_USE = """
import sys, tensorflow as tf, polykeras as keras
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
model.compile("adam", "mse")
tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(sys.argv[1])
print("saved")
"""


def test_a_checkpoint_may_be_the_first_to_use_the_engine(tmp_path):
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    command = [sys.executable, "-c", FIRST_USE, str(tmp_path / "c")]
    found = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert found.stdout.strip() == "saved", found.stderr[-2000:]


# ------------------------------------------------------------- parts of a program on their own


class Holder(tf.Module):
    def __init__(self):
        super().__init__()
        self.scale = keras.Variable(2.0)
        self.mean = keras.metrics.Mean()

    @tf.function(input_signature=[tf.TensorSpec(None)])
    def scaled(self, x):
        return x * self.scale


def changed_optimizer():
    variable, optimizer = keras.Variable([3.0]), keras.optimizers.Adam(0.1)
    step = lambda: optimizer.apply([tf.constant([1.0])], [variable])  # noqa: E731
    step()
    return {"optimizer": optimizer, "variable": variable}, step, lambda: [variable.numpy(), *optimizer.get_weights()]


def changed_metric():
    metric = keras.metrics.Mean()
    metric.update_state([1.0, 2.0])
    return {"metric": metric}, lambda: metric.update_state([7.0]), lambda: [metric.result()]


def changed_variables():
    many = [keras.Variable(3.0), {"inner": keras.Variable([1, 2])}]
    change = lambda: (many[0].assign(0.0), many[1]["inner"].assign([5, 6]))  # noqa: E731
    return {"one": keras.Variable(1.0), "many": many}, change, lambda: [many[0].numpy(), many[1]["inner"].numpy()]


def changed_seeds():
    seeds = keras.random.SeedGenerator(1)
    return {"seeds": seeds}, seeds.next, lambda: [seeds.state.numpy()]


def changed_module():
    holder = Holder()
    change = lambda: (holder.scale.assign(0.0), holder.mean.update_state(1.0))  # noqa: E731
    return {"holder": holder}, change, lambda: [holder.scale.numpy(), holder.mean.result()]


PARTS = [changed_optimizer, changed_metric, changed_variables, changed_seeds, changed_module]


@pytest.mark.parametrize("made", PARTS)
def test_variables_optimizers_and_metrics_alone_are_kept(tmp_path, made):
    parts, change, state = made()
    step = tf.Variable(1)
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(**parts, step=step), str(tmp_path), max_to_keep=2)
    manager.save()
    before = [np.array(x) for x in state()]
    change()
    step.assign(2)
    assert any(not np.array_equal(x, y) for x, y in zip(state(), before, strict=True))
    manager.checkpoint.restore(manager.latest_checkpoint).assert_consumed()
    for found, expected in zip(state(), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert int(step) == 1


def test_a_new_program_takes_on_kept_variables_also_before_an_optimizer_has_its_own(tmp_path):
    parts, _, state = changed_optimizer()
    path = tf.train.Checkpoint(**parts).save(str(tmp_path / "c"))
    variable, optimizer = keras.Variable([0.0]), keras.optimizers.Adam(0.1)
    tf.train.Checkpoint(variable=variable, optimizer=optimizer).restore(path)
    optimizer.build([variable])
    for found, expected in zip([variable.numpy(), *optimizer.get_weights()], state(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_saved_module_of_tensorflow_holds_variables_of_ours(tmp_path):
    tf.saved_model.save(Holder(), str(tmp_path))
    assert float(tf.saved_model.load(str(tmp_path)).scaled(3.0)) == 6.0


def test_a_variable_of_another_backend_is_refused(tmp_path):
    with backends.use("numpy"):
        variable = keras.Variable(1.0)
    with pytest.raises(RuntimeError, match="variables on the backend 'tensorflow'.*Received.*'numpy'"):
        tf.train.Checkpoint(v=variable).save(str(tmp_path / "c"))
