"""What TensorBoard's own reader finds in the files."""

import io
import json
import os
import pstats
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.projector import ProjectorConfig

import polykeras as keras
from polykeras import layers

ROWS, BATCH = 32, 8
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(ROWS, 3)).astype("float32")
Y = X.sum(-1, keepdims=True)


def linear(**arguments):
    model = keras.Sequential([keras.Input((3,), name="x"), layers.Dense(2, name="a"), layers.Dense(1, name="b")])
    model.compile(**{"optimizer": keras.optimizers.SGD(0.05), "loss": "mse", **arguments})
    return model


def fit(model, folder, epochs=2, **arguments):
    callback = keras.callbacks.TensorBoard(folder, **arguments)
    data = {"validation_data": (X, Y), "batch_size": BATCH, "epochs": epochs, "verbose": 0}
    return model.fit(X, Y, callbacks=[callback], **data).history


def read(folder):
    # The reader keeps ten histograms and four images of a tag unless told otherwise.
    events = EventAccumulator(str(folder), size_guidance={"histograms": 0, "images": 0, "tensors": 0})
    return events.Reload()


def scalars(folder, tag):
    return [(event.step, event.value) for event in read(folder).Scalars(tag)]


def test_metrics_of_epochs_are_scalars_of_two_runs(backend, tmp_path):
    history = fit(linear(metrics=["mae"]), tmp_path)
    for name in ("loss", "mae"):
        for run, key in (("train", name), ("validation", f"val_{name}")):
            steps, values = zip(*scalars(tmp_path / run, f"epoch_{name}"), strict=True)
            assert steps == (0, 1) and values == pytest.approx(history[key], rel=1e-6)
    assert scalars(tmp_path / "train", "epoch_learning_rate") == [(0, np.float32(0.05)), (1, np.float32(0.05))]
    steps, losses = zip(*scalars(tmp_path / "validation", "evaluation_loss_vs_iterations"), strict=True)
    assert steps == (4, 8) and losses == pytest.approx(history["val_loss"], rel=1e-6)
    assert not any("batch" in tag for tag in read(tmp_path / "train").Tags()["scalars"])


@pytest.mark.parametrize(("update_freq", "steps"), [("batch", [1, 2, 3, 4, 5, 6, 7, 8]), (3, [3, 6])])
def test_metrics_of_batches_are_written_as_often_as_asked(tmp_path, update_freq, steps):
    history = fit(linear(), tmp_path, update_freq=update_freq, write_steps_per_second=True)
    found = scalars(tmp_path / "train", "batch_loss")
    assert [step for step, _ in found] == steps
    if update_freq == "batch":
        assert [found[3][1], found[7][1]] == pytest.approx(history["loss"], rel=1e-6)
    assert [step for step, _ in scalars(tmp_path / "train", "batch_steps_per_second")] == steps
    assert all(value > 0 for _, value in scalars(tmp_path / "train", "epoch_steps_per_second"))


def test_batches_of_one_dispatch_count_as_so_many(backend, tmp_path):
    fit(linear(steps_per_execution=2), tmp_path, update_freq=3)
    assert [step for step, _ in scalars(tmp_path / "train", "batch_loss")] == [4, 6]


def test_histograms_and_pictures_show_the_weights(tmp_path):
    model = linear()
    fit(model, tmp_path, epochs=3, histogram_freq=2, write_images=True, write_grads=True)
    events = read(tmp_path / "train")
    assert set(events.Tags()["histograms"]) == {
        f"{weight.path}/{kind}" for weight in model.weights for kind in ("histogram", "gradient")
    }
    kernel = model.get_layer("a").kernel
    written = events.Histograms(f"{kernel.path}/histogram")
    assert [event.step for event in written] == [0, 2]
    last = written[-1].histogram_value
    values = kernel.numpy()
    assert (last.num, last.min, last.max) == pytest.approx((6, values.min(), values.max()), rel=1e-6)
    assert (last.sum, last.sum_squares) == pytest.approx((values.sum(), (values**2).sum()), rel=1e-5)
    assert sum(last.bucket) == 6
    picture = events.Images(f"{kernel.path}/image")[-1]
    pixels = np.asarray(Image.open(io.BytesIO(picture.encoded_image_string)))
    expected = np.round((values.T - values.min()) / np.ptp(values) * 255)
    assert (picture.height, picture.width) == (2, 3)
    np.testing.assert_allclose(pixels, expected, atol=1)


def test_gradients_are_those_of_the_loss_on_the_validation_data(backend, tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    fit(model, tmp_path, epochs=1, histogram_freq=1, write_grads=True, batch_size=16)
    (kernel,) = model.get_weights()
    gradient = 2 * X[:16].T @ (X[:16] @ kernel - Y[:16]) / 16
    written = read(tmp_path / "train").Histograms(f"{model.weights[0].path}/gradient")[0].histogram_value
    assert (written.min, written.max) == pytest.approx((gradient.min(), gradient.max()), rel=1e-4)
    with pytest.raises(ValueError, match="validation_data"):
        callback = keras.callbacks.TensorBoard(tmp_path, histogram_freq=1, write_grads=True)
        model.fit(X, Y, callbacks=[callback], verbose=0)


def test_the_graph_has_a_node_for_each_layer(tmp_path):
    x = keras.Input((3,), name="x")
    model = keras.Model(x, layers.Add(name="sum")([linear()(x), layers.Dense(1, name="side")(x)]))
    model.compile("sgd", "mse")
    fit(model, tmp_path, epochs=1)
    nodes = {node.name: node for node in read(tmp_path / "train").Graph().node}
    stack = model.layers[1].name
    assert set(nodes) == {"x", f"{stack}/a", f"{stack}/b", "side", "sum"}
    assert list(nodes["sum"].input) == [f"{stack}/b", "side"] and nodes["side"].op == "Dense"
    assert [d.size for d in nodes[f"{stack}/a"].attr["_output_shapes"].list.shape[0].dim] == [-1, 2]
    fit(linear(), tmp_path / "none", epochs=1, write_graph=False)
    assert not read(tmp_path / "none" / "train").Tags()["graph"]


def words(**arguments):
    indices = GENERATOR.integers(0, 5, (ROWS, 2))
    model = keras.Sequential([keras.Input((2,), dtype="int32"), layers.Embedding(5, 4, name="words"), layers.Flatten(),
                              layers.Dense(1)])  # fmt: skip
    model.compile("sgd", "mse")
    callback = keras.callbacks.TensorBoard(embeddings_freq=2, **arguments)
    model.fit(indices, Y, epochs=3, verbose=0, callbacks=[callback])
    return model


def projector(folder):
    return text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig()).embeddings


def test_the_projector_finds_embeddings_with_their_labels(tmp_path):
    (tmp_path / "labels.tsv").write_text("\n".join("abcde"))
    model = words(log_dir=tmp_path, embeddings_metadata={"words": "labels.tsv"})
    first, last = projector(tmp_path)
    assert (first.tensor_name, last.tensor_name) == ("words (epoch 1)", "words (epoch 3)")
    assert last.metadata_path == "labels.tsv"
    np.testing.assert_allclose(np.loadtxt(tmp_path / last.tensor_path), model.get_weights()[0], rtol=1e-6)


def test_the_projector_gets_outputs_for_data_where_there_are_any(tmp_path):
    data = np.array([[0, 1], [3, 3]])
    model = words(log_dir=tmp_path, embeddings_data=data, embeddings_layer_names=["words"], embeddings_metadata="m.tsv")
    expected = model.get_weights()[0][data].reshape(2, -1)
    np.testing.assert_allclose(np.loadtxt(tmp_path / projector(tmp_path)[-1].tensor_path), expected, rtol=1e-6)
    assert projector(tmp_path)[0].metadata_path == "m.tsv"


def test_a_profile_covers_the_batches_asked_for(tmp_path):
    fit(linear(), tmp_path, epochs=1, profile_batch="2,3")
    text = read(tmp_path / "train").Tensors("batch_profile")[0]
    assert text.step == 3 and b"tottime" in text.tensor_proto.string_val[0]
    stats = pstats.Stats(str(tmp_path / "train" / "profile.pstats"), stream=io.StringIO())
    calls = {name: count for (_, _, name), (_, count, *_) in stats.stats.items()}
    assert calls["batch_begin"] == 1  # of batch 3: that of batch 2 started the profile


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"update_freq": "sample"}, "update_freq"),
        ({"profile_batch": "3,1"}, "profile_batch"),
        ({"embeddings_freq": 1, "embeddings_layer_names": ["word"]}, "embeddings_layer_names"),
        ({"embeddings_freq": 1, "embeddings_metadata": {"word": "m.tsv"}}, "embeddings_metadata"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit(linear(), tmp_path, epochs=1, **arguments)


def test_no_tensorflow_is_loaded_to_write_the_files(tmp_path):
    code = f"""
import json, sys, numpy as np, polykeras as keras
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
board = keras.callbacks.TensorBoard({str(tmp_path)!r}, 1, write_images=True, update_freq="batch", embeddings_freq=1)
model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0, callbacks=[board])
print(json.dumps([name for name in ("tensorflow", "torch", "jax", "PIL") if name in sys.modules]))
"""
    environment = {**os.environ, "KERAS_BACKEND": "numpy", "PYTHONPATH": str(Path(keras.__file__).parent.parent)}
    options = {"capture_output": True, "text": True, "env": environment, "cwd": tmp_path, "check": True}
    process = subprocess.run([sys.executable, "-c", code], **options)
    assert json.loads(process.stdout) == []
