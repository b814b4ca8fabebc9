"""Each format of weights, and what layers keep in files in their own way."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import polykeras as keras

WEIGHTS = ["m.weights.h5", "m.safetensors", "m.weights.json"]
X, Y = np.random.default_rng(0).normal(size=(2, 8, 4)).astype("float32")


def make(library=keras, units=6, dtype=None, names=("first", "last")):
    layers = library.layers
    return library.Sequential(
        [
            library.Input((4,)),
            layers.Dense(units, activation="tanh", name=names[0]),
            layers.BatchNormalization(),
            layers.Dense(4, dtype=dtype, name=names[1]),
        ]
    )


def save(model, path):
    model.save_weights(path, max_shard_size=2e-7 if path.suffix == ".json" else None)


def assert_equal(a, b):
    for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


# ------------------------------------------------------------------ all formats


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_and_the_optimizer_come_back_and_training_goes_on(backend, tmp_path, name):
    model, other = make(dtype="mixed_bfloat16"), make(dtype="mixed_bfloat16")
    for each in (model, other):
        each.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    save(model, tmp_path / name)
    other.load_weights(tmp_path / name)
    assert_equal(model, other)
    assert int(other.optimizer.iterations) == 2
    histories = [m.fit(X, Y, epochs=2, verbose=0, shuffle=False).history for m in (model, other)]
    assert histories[0] == histories[1]


def test_names_of_keras_2_that_end_in_hdf5_are_known(real_keras, tmp_path):
    path = tmp_path / "model.hdf5"
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(path)
    expected = model.predict(np.ones((1, 3)), verbose=0)
    for library in (keras, real_keras):
        loaded = library.models.load_model(path)
        np.testing.assert_allclose(loaded.predict(np.ones((1, 3)), verbose=0), expected, rtol=1e-5)
    model.save_weights(tmp_path / "weights.hdf5")
    model.load_weights(tmp_path / "weights.hdf5")


@pytest.mark.parametrize("name", WEIGHTS)
def test_loading_changes_no_file_and_later_training_neither(tmp_path, name):
    model = make()
    save(model, tmp_path / name)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    model.load_weights(tmp_path / name)
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", WEIGHTS)
def test_mismatches_are_named_or_skipped_and_names_matched(tmp_path, name):
    model = make()
    save(model, tmp_path / name)
    other = make(units=5)
    kernel = other.layers[0].get_weights()[0]
    with pytest.raises(ValueError, match=r"Dense 'sequential\w*/first'.*\(4, 5\).*\(4, 6\)"):
        other.load_weights(tmp_path / name)
    with pytest.warns(UserWarning, match="Left unchanged"):
        other.load_weights(tmp_path / name, skip_mismatch=True)
    np.testing.assert_array_equal(other.layers[0].get_weights()[0], kernel)
    named = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, name="last"), keras.layers.Dense(9)])
    named.load_weights(tmp_path / name, by_name=True)
    np.testing.assert_array_equal(named.layers[0].get_weights()[0], model.layers[2].get_weights()[0])


@pytest.mark.parametrize("name", WEIGHTS)
def test_an_optimizer_of_another_kind_is_left_alone_with_a_warning(tmp_path, name):
    model, other = make(), make()
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    save(model, tmp_path / name)
    other.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="Left unchanged: optimizer 'sgd"):
        other.load_weights(tmp_path / name)
    assert_equal(model, other)


@pytest.mark.parametrize("name", ["m.keras", *WEIGHTS])
def test_arrays_stream_to_and_from_the_file(tmp_path, name):
    model = keras.Sequential([keras.Input((512,)), *(keras.layers.Dense(512, use_bias=False) for _ in range(32))])
    model.set_weights([np.full(w.shape, 1.0, "float32") for w in model.weights])
    size = sum(weight.nbytes for weight in model.get_weights())
    path = tmp_path / name
    tracemalloc.start()
    if name == "m.keras":
        model.save(path)
    else:
        model.save_weights(path, max_shard_size=0.01 if path.suffix == ".json" else None)
    saving = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    other = None if name == "m.keras" else keras.models.clone_model(model)
    tracemalloc.start()
    if name == "m.keras":
        other = keras.models.load_model(path)
    else:
        other.load_weights(path)
    loading = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    blocks = 5 * 4 * 2**20  # what the checksums work on
    assert saving < 0.2 * size + blocks
    assert loading < 1.2 * size + blocks
    np.testing.assert_array_equal(other.get_weights()[-1], model.get_weights()[-1])


# ----------------------------------------------------------------- safetensors


def test_the_safetensors_library_reads_our_files_and_we_its(tmp_path):
    model = make(dtype="bfloat16")
    save(model, tmp_path / "m.safetensors")
    tensors = safetensors.numpy.load_file(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(tensors["layers/dense/vars/0"], model.get_weights()[0])
    assert tensors["layers/dense_1/vars/0"].dtype == "bfloat16"
    tensors["layers/dense/vars/0"] = np.full((4, 6), 3.0, "float32")
    safetensors.numpy.save_file(tensors, tmp_path / "theirs.safetensors")
    model.load_weights(tmp_path / "theirs.safetensors")
    assert model.get_weights()[0][0, 0] == 3.0


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("overlaps", lambda h: h["a"].update(data_offsets=[4, 8])),
        ("shape", lambda h: h["a"].update(shape=[1 << 40])),
        ("shape", lambda h: h["a"].update(shape=[-1], data_offsets=[8, 4])),
        ("dtype", lambda h: h["a"].update(dtype="PICKLE")),
        ("header describes", lambda h: h.pop("b")),
    ],
)
def test_headers_that_lie_are_refused(tmp_path, words, change):
    header = {
        "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
    }
    change(header)
    text = json.dumps(header).encode()
    (tmp_path / "m.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    with pytest.raises(ValueError, match=f"m.safetensors.*{words}"):
        make().load_weights(tmp_path / "m.safetensors")


# ---------------------------------------------------------------------- shards


def test_shards_have_the_layout_of_keras_and_load_both_ways(backend, real_keras, tmp_path):
    theirs, ours = make(real_keras), make()
    for each in (theirs, ours):
        each.compile("sgd", "mse")
    (tmp_path / "theirs").mkdir()
    theirs.save_weights(tmp_path / "theirs" / "m.weights.json", max_shard_size=2e-7)
    ours.load_weights(tmp_path / "theirs" / "m.weights.json")
    np.testing.assert_array_equal(ours.get_weights()[0], theirs.get_weights()[0])
    ours.save_weights(tmp_path / "m.weights.json", max_shard_size=2e-7)
    indices = [json.loads(Path(tmp_path, name, "m.weights.json").read_text()) for name in ("", "theirs")]
    assert indices[0]["weight_map"] == indices[1]["weight_map"]
    assert indices[0]["metadata"]["total_size"] == indices[1]["metadata"]["total_size"]
    assert len(list(tmp_path.glob("m_*.weights.h5"))) == len(list((tmp_path / "theirs").glob("m_*.weights.h5"))) > 1
    again = make(real_keras)
    again.load_weights(tmp_path / "m.weights.json")
    for a, b in zip(again.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_second_save_takes_new_names_and_removes_the_old_files(tmp_path):
    model = make()
    names = []
    for _ in range(3):
        save(model, tmp_path / "m.weights.json")
        names.append({path.name for path in tmp_path.glob("m_*")})
    assert not names[0] & names[1] and names[2] == names[0]


def test_sizes_of_shards_that_make_no_sense_are_named(tmp_path):
    with pytest.raises(ValueError, match="max_shard_size"):
        make().save_weights(tmp_path / "m.weights.json")
    with pytest.raises(ValueError, match="larger max_shard_size"):
        make().save_weights(tmp_path / "m.weights.json", max_shard_size=1e-9)
    assert not list(tmp_path.iterdir())
    make().save_weights(tmp_path / "m.weights.h5", max_shard_size=1)
    assert (tmp_path / "m.weights.json").exists()
    with pytest.raises(FileExistsError):
        make().save_weights(tmp_path / "m.weights.json", overwrite=False, max_shard_size=1)


# ------------------------------------------------------- what layers keep apart


@keras.saving.register_keras_serializable("formats")
class Keeper(keras.layers.Layer):
    """Keeps words in a file, an array that is no variable, and knows how it was built and for what."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.words, self.table, self.size = [], None, None

    def build_for(self, size):
        self.size = size
        self.scale = self.add_weight(shape=(size,), initializer="ones")
        self.built = True

    def build(self, input_shape):
        self.build_for(input_shape[-1])

    def get_build_config(self):
        return {"size": self.size}

    def build_from_config(self, config):
        self.build_for(config["size"])

    def save_assets(self, dir):
        Path(dir, "deep").mkdir()
        Path(dir, "deep", "words.txt").write_text("\n".join(self.words))

    def load_assets(self, dir):
        self.words = Path(dir, "deep", "words.txt").read_text().split("\n")

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["table"] = np.asarray(self.table)

    def load_own_variables(self, store):
        self.table = np.array(store["table"])
        self.scale.assign(store["0"])

    def call(self, x):
        return x * self.scale


@keras.saving.register_keras_serializable("formats")
class Compiled(keras.Sequential):
    def get_compile_config(self):
        return {"rate": float(self.optimizer.learning_rate)}

    def compile_from_config(self, config):
        self.compile(keras.optimizers.SGD(config["rate"]), "mae")


def test_own_arrays_assets_builds_and_compiles_come_back(tmp_path):
    model = Compiled([keras.Input((3,)), Keeper(name="keeper")])
    keeper = model.get_layer("keeper")
    keeper.words, keeper.table = ["a", "ß"], [[1, 2], [3, 4]]
    keeper.scale.assign([1.0, 2.0, 3.0])
    model.compile(keras.optimizers.SGD(0.25), "mse")
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras").get_layer("keeper")
    assert loaded.words == keeper.words and loaded.table.tolist() == keeper.table
    np.testing.assert_array_equal(loaded.scale.numpy(), [1, 2, 3])


def test_compile_config_of_a_class_is_used(tmp_path):
    model = Compiled([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.25), "mse")
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert type(loaded) is Compiled and loaded.loss == "mae" and float(loaded.optimizer.learning_rate) == 0.25


@keras.saving.register_keras_serializable("formats")
class CompiledOfObjects(keras.Sequential):
    """A class as in Keras's guide: its ``compile`` has arguments of its own, and its config the objects themselves."""

    def compile(self, the_optimizer, loss_fn, watched):
        super().compile(the_optimizer, loss_fn, metrics=watched)
        self.loss_fn, self.watched = loss_fn, watched

    def get_compile_config(self):
        return {"the_optimizer": self.optimizer, "loss_fn": self.loss_fn, "watched": self.watched}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))


def test_the_compile_config_of_a_class_may_hold_objects(backend, tmp_path):
    model = CompiledOfObjects([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.25, momentum=0.5), keras.losses.Huber(0.5), ["mae"])
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert type(loaded.optimizer) is keras.optimizers.SGD and loaded.loss_fn.delta == 0.5 and loaded.watched == ["mae"]
    histories = [of.fit(x, y, verbose=0).history for of in (model, loaded)]
    assert histories[0] == histories[1] and set(histories[1]) == {"loss", "mae"}
    with pytest.warns(UserWarning, match="without the arguments of compile.*the_optimizer"):
        model.save(tmp_path / "m.h5")
    assert not keras.models.load_model(tmp_path / "m.h5").compiled


@keras.saving.register_keras_serializable("formats")
class Adversary(keras.Model):
    """A model of two, compiled with an optimizer for each of them."""

    def __init__(self, maker, judge, **options):
        super().__init__(**options)
        self.maker, self.judge = maker, judge

    def call(self, x):
        return self.judge(self.maker(x))

    def compile(self, maker_optimizer, judge_optimizer, loss_fn, **options):
        super().compile(**options)
        self.optimizers, self.loss_fn = (maker_optimizer, judge_optimizer), loss_fn


@pytest.mark.parametrize("file", ["m.keras", "m.h5"])
@pytest.mark.parametrize("options", [{}, {"optimizer": "adam", "loss": "mse"}], ids=["own", "and_keras"])
def test_models_that_have_a_compile_of_their_own_load_without_it(backend, tmp_path, options, file):
    model = Adversary(keras.layers.Dense(2), keras.layers.Dense(1))
    model.compile(keras.optimizers.Adam(), keras.optimizers.SGD(), keras.losses.MeanSquaredError(), **options)
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")
    if options:
        model.fit(x, y, verbose=0)
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / file)
    with pytest.warns(UserWarning, match="own compile"):
        loaded = keras.models.load_model(tmp_path / file)
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-6)
    assert not loaded.compiled
    loaded.compile(keras.optimizers.Adam(), keras.optimizers.SGD(), "mse", **options)
    assert loaded.loss_fn == "mse"


@keras.saving.register_keras_serializable("formats")
class Noted(keras.Sequential):
    """A model whose own compile takes what that of Keras takes."""

    def compile(self, optimizer="sgd", loss=None, **options):
        super().compile(optimizer, loss, **options)
        self.noted = loss


def test_a_compile_of_their_own_that_takes_what_was_saved_is_called_and_the_optimizer_goes_on(backend, tmp_path):
    model = Noted([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.noted == "mse" and int(loaded.optimizer.iterations) == 1


@keras.saving.register_keras_serializable("formats")
class WithoutCompileConfig(keras.Sequential):
    def get_compile_config(self):
        return None


@pytest.mark.filterwarnings("error")
def test_a_class_without_a_compile_config_is_saved_as_if_it_were_not_compiled(tmp_path):
    model = WithoutCompileConfig([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.save(tmp_path / "m.keras")
    assert not keras.models.load_model(tmp_path / "m.keras").compiled


@pytest.mark.parametrize("name", ["m.safetensors", "m.weights.json"])
def test_own_arrays_come_back_from_files_of_weights(tmp_path, name):
    model, other = (keras.Sequential([keras.Input((3,)), Keeper()]) for _ in range(2))
    model.layers[0].table = [[1.0, 2.0]]
    save(model, tmp_path / name)
    other.load_weights(tmp_path / name)
    assert other.layers[0].table.tolist() == [[1.0, 2.0]]


def test_a_class_without_weights_of_its_own_reads_its_part_of_a_file(backend, tmp_path):
    class Noting(keras.layers.Layer):
        read: list = []

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = keras.layers.Dense(1)

        def call(self, inputs):
            return self.inner(inputs)

        def load_own_variables(self, store):
            self.read.append(sorted(store))

    model = keras.Sequential([keras.Input((1,)), Noting()])
    model.save(tmp_path / "model.keras")
    keras.saving.load_model(tmp_path / "model.keras", custom_objects={"Noting": Noting})
    assert Noting.read == [[]]


def test_weights_of_layers_in_nested_lists_are_found_in_the_list_of_all_layers(backend, tmp_path):
    """As Keras 3.15.0 wrote them."""
    h5py = pytest.importorskip("h5py")

    class Blocks(keras.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [(keras.layers.Dense(2, use_bias=False),) for _ in range(2)]
            self.out = keras.layers.Dense(1)

        def call(self, inputs):
            for (layer,) in self.blocks:
                inputs = layer(inputs)
            return self.out(inputs)

    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape).astype("float32") for shape in ((3, 2), (2, 2), (2, 1), (1,))]
    with h5py.File(tmp_path / "old.weights.h5", "w") as file:
        for path, value in zip(("dense", "dense_1", "dense_2", "dense_2"), values, strict=True):
            group = file.require_group(f"layers/{path}/vars")
            group[str(len(group))] = value
    model = Blocks()
    model.build((None, 3))
    with pytest.warns(UserWarning, match="older Keras 3"):
        model.load_weights(tmp_path / "old.weights.h5")
    for weight, value in zip(model.weights, values, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), value)
