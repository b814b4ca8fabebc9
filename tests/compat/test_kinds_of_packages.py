"""What packages that build on Keras ask of it, each kind without the package."""

import importlib
import inspect
import json

import jax
import numpy as np
import pytest

import polykeras as keras
from polykeras import ops
from polykeras.compat.keras3.members import add_members
from polykeras.layers.attention import HeadedAttention


def test_signatures_of_training_show_what_keras_takes_and_old_arguments_work_still():
    for method in (keras.Model.fit, keras.Model.evaluate, keras.Model.predict):
        kinds = {parameter.kind for parameter in inspect.signature(method).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(np.ones((4, 2)), np.ones((4, 1)), nb_epoch=2, workers=1, verbose=0)
    assert len(history.history["loss"]) == 2


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return {"a": np.full((4, 1), index + 1.0, "float32"), "b": np.zeros((4, 3), "float32")}


class OwnLoss(keras.Model):
    """Its call takes other arguments than a batch, and its parts are built before it trains."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, kernel_initializer="ones")
        self.seen = keras.metrics.Mean(name="seen")

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.built = True

    def call(self, a, b):
        return self.dense(a) + ops.sum(b)

    def train_step(self, data):
        assert sorted(data) == ["a", "b"]
        self.seen.update_state(ops.mean(self(**data)))
        return {"seen": self.seen.result()}


def test_a_step_gets_the_bare_dict_that_a_dataset_yields_and_a_built_model_is_not_called_before(backend):
    model = OwnLoss()
    model.build((None, 1))
    model.compile("sgd")
    assert model.fit(Batches(), verbose=0).history["seen"] == [1.5]


def test_a_checkpoint_is_extended_by_the_methods_that_packages_call(tmp_path):
    class Noted(keras.callbacks.ModelCheckpoint):
        paths = []

        def on_train_batch_end(self, batch, logs=None):
            if self._should_save_on_batch(batch):
                self._save_model(epoch=self._current_epoch, batch=batch, logs=logs)
                self.paths.append(self._get_file_path(epoch=self._current_epoch, batch=batch, logs=logs))

    class Never(keras.callbacks.ModelCheckpoint):
        def _should_save_model(self, epoch, batch, logs, filepath):
            return False

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    own = Noted(tmp_path / "{epoch}-{batch}.keras", save_freq=2)
    never = Never(tmp_path / "never.keras")
    model.fit(np.ones((4, 2)), np.ones((4, 1)), batch_size=1, epochs=2, verbose=0, callbacks=[own, never])
    expected = [str(tmp_path / name) for name in ("1-2.keras", "1-4.keras", "2-2.keras", "2-4.keras")]
    assert own.paths == expected and sorted(map(str, tmp_path.iterdir())) == expected


class Cached(keras.layers.MultiHeadAttention):
    def call(self, query, value, mask=None, training=None):
        query, key, value = self._query_dense(query), self._key_dense(value), self._value_dense(value)
        outputs, scores = self._compute_attention(query, key, value, attention_mask=mask, training=training)
        assert scores is None
        return self._output_dense(outputs)


class Uniform(keras.layers.MultiHeadAttention):
    def _compute_attention(self, query, key, value, attention_mask=None, training=None, return_attention_scores=False):
        mean = ops.mean(value, axis=1, keepdims=True)
        return ops.broadcast_to(mean, ops.shape(value)), None


def test_attention_of_other_packages_uses_and_replaces_the_parts(backend):
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    mask = np.tril(np.ones((5, 5), bool))[None]
    plain, own = keras.layers.MultiHeadAttention(2, 3), Cached(2, 3)
    expected = plain(x, x, attention_mask=mask)
    own.build(x.shape, x.shape)
    own.set_weights(plain.get_weights())
    np.testing.assert_allclose(ops.convert_to_numpy(own(x, x, mask=mask)), ops.convert_to_numpy(expected), atol=1e-5)
    assert (own._num_heads, own._key_dim, own._value_dim, own._use_bias) == (2, 3, 3, True)
    assert abs(own._inverse_sqrt_key_dim - 3**-0.5) < 1e-7

    uniform = Uniform(2, 3)
    outputs = ops.convert_to_numpy(uniform(x, x))
    np.testing.assert_allclose(outputs, np.broadcast_to(outputs[:, :1], outputs.shape), atol=1e-5)
    assert issubclass(keras.layers.GroupQueryAttention, HeadedAttention)


class Stepwise(keras.layers.MultiHeadAttention):
    """Computes what its base computes from the parts that packages call, in Keras's order of the operands."""

    def build(self, query_shape, value_shape):
        self._query_dense = self.dense(query_shape, (self._num_heads, self._key_dim), "query")
        self._key_dense = self.dense(value_shape, (self._num_heads, self._key_dim), "key")
        self._value_dense = self.dense(value_shape, (self._num_heads, self._value_dim), "value")
        self._build_attention(4)
        self._output_dense = keras.layers.EinsumDense(
            "abcd,cde->abe", (None, query_shape[-1]), bias_axes="e", **self._get_common_kwargs_for_sublayer()
        )
        self._output_dense.build((*query_shape[:-1], self._num_heads, self._value_dim))

    def dense(self, shape, sizes, name):
        options = self._get_common_kwargs_for_sublayer()
        layer = keras.layers.EinsumDense("abc,cde->abde", (None, *sizes), bias_axes="de", name=name, **options)
        layer.build(shape)
        return layer

    def call(self, query, value, attention_mask=None, use_causal_mask=False):
        mask = self._compute_attention_mask(
            query, value, attention_mask=attention_mask, use_causal_mask=use_causal_mask
        )
        query = self._query_dense(query) * self._inverse_sqrt_key_dim
        scores = ops.einsum(self._dot_product_equation, self._key_dense(value), query)
        scores = self._dropout_layer(self._masked_softmax(scores, mask))
        return self._output_dense(ops.einsum(self._combine_equation, scores, self._value_dense(value)))


def test_attention_of_other_packages_builds_itself_from_the_parts(backend):
    random = np.random.default_rng(0)
    query, value = (random.normal(size=(2, length, 4)).astype("float32") for length in (3, 5))
    mask = random.uniform(size=(2, 3, 5)) > 0.3
    mask[:, :, 0] = True  # what a query gets that sees no key depends on the way in which it is computed
    plain, own = (kind(2, 3, value_dim=2) for kind in (keras.layers.MultiHeadAttention, Stepwise))
    expected = plain(query, value, attention_mask=mask, use_causal_mask=True)
    own.build(query.shape, value.shape)
    own.set_weights(plain.get_weights())
    outputs = own(query, value, attention_mask=mask, use_causal_mask=True)
    np.testing.assert_allclose(ops.convert_to_numpy(outputs), ops.convert_to_numpy(expected), atol=1e-5)
    assert own._output_shape is None and own._sliding_window is None


def penalties(module, kind, settings, x):
    layer = getattr(module.layers, kind)(**settings, kernel_initializer="ones", activity_regularizer="l2")
    layer(x, x)
    assert layer.get_config()["activity_regularizer"]["class_name"] == "L2"
    return sorted(float(module.ops.convert_to_numpy(loss)) for loss in layer.losses)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "use_gate": True}),
        ("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}),
    ],
)
def test_attention_regularizes_the_activity_of_its_projections_as_keras_does(backend, kind, settings):
    oracle = pytest.importorskip("keras")
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    expected = penalties(oracle, kind, settings, x)
    np.testing.assert_allclose(penalties(keras, kind, settings, x), expected, rtol=1e-4)


def graph_of(module):
    inputs = module.Input((4,), name="i")
    first = module.layers.Dense(3, name="a")(inputs)
    second = module.layers.Dense(3, name="b")(first)
    return module.Model(inputs, module.layers.Add(name="c")([first, second]))


def told(model):
    """What packages read from a model's private members."""
    sequential = type(model.layers[-1])
    last = model.layers[-1]._inbound_nodes[0]
    return {
        "layers": [layer.name for layer in model._layers],
        "operations": sorted(operation.name for operation in model.operations),
        "depths": {
            depth: sorted(node.operation.name for node in nodes) for depth, nodes in model._nodes_by_depth.items()
        },
        "parents": sorted(node.operation.name for node in last.parent_nodes),
        "tensors": [tuple(x.shape) for x in (*last.input_tensors, *last.output_tensors)],
        "weights": [tuple(weight.shape) for weight in model.layers[1]._trainable_variables],
        "frozen": [len(part) for part in (model.layers[1]._non_trainable_variables, model.layers[1]._seed_generators)],
        "inputs": [tuple(x.shape) for x in model._inputs],
        "kind": sequential.__name__,
    }


def test_members_that_packages_read_are_what_keras_has():
    oracle = pytest.importorskip("keras")
    add_members()
    assert told(graph_of(keras)) == told(graph_of(oracle))
    for module in (oracle, keras):
        stack = module.Sequential([module.Input((2,), name="i"), module.layers.Dense(1, name="d")])
        assert [layer.name for layer in stack._layers] == ["i", "d"]
        assert [layer.name for layer in stack._functional.layers] == ["i", "d"]
        assert not hasattr(stack, "distribute_strategy")


def test_what_an_object_has_itself_comes_before_the_members_of_the_table():
    class Owner(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self._metrics = ["own"]

    add_members()
    assert Owner()._metrics == ["own"] and keras.layers.Dense(1)._metrics == []


def test_models_on_tensorflow_tell_its_tools_of_their_inputs_and_strategy():
    tf = pytest.importorskip("tensorflow")
    add_members()
    with keras.backends.use("tensorflow"):
        model = graph_of(keras)
    (spec,) = model._get_save_spec(dynamic_batch=True)
    assert spec.shape.as_list() == [None, 4] and spec.dtype == tf.float32
    assert model.distribute_strategy is tf.distribute.get_strategy()


def test_a_block_is_replaced_at_a_place_that_a_loop_computes_where_tensorflow_compiles_by_xla():
    tf = pytest.importorskip("tensorflow")

    def filled(x, block):
        body = lambda place, x: (place + 1, ops.slice_update(x, [0, place], block * x[:, :1]))  # noqa: E731
        with tf.GradientTape() as tape:
            tape.watch((x, block))
            _, y = tf.while_loop(lambda place, _: place < 3, body, (tf.constant(1), x), maximum_iterations=2)
            loss = tf.reduce_sum(y**2)
        return y, tape.gradient(loss, (x, block))

    with keras.backends.use("tensorflow"):
        x, block = tf.fill((2, 4), 3.0), tf.fill((2, 1), 2.0)
        y, (of_x, of_block) = tf.function(filled, jit_compile=True, autograph=False)(x, block)
    np.testing.assert_allclose(y, [[3, 6, 6, 3]] * 2)
    # A row adds 2 (b x0)^2 and the squares of x0 and x3, which stay.
    np.testing.assert_allclose(of_x, [[2 * 3 + 4 * 2**2 * 3, 0, 0, 2 * 3]] * 2)
    np.testing.assert_allclose(of_block, [[4 * 3**2 * 2]] * 2)


class Backbone(keras.Model):
    """Its attributes hold its layers in another order than the graph."""

    def __init__(self):
        self.last = keras.layers.Dense(2, name="last")
        self.first = keras.layers.Dense(3, name="first")
        inputs = keras.Input((4,))
        super().__init__(inputs, self.last(self.first(inputs)))


def test_weights_of_a_functional_class_come_in_the_order_of_its_graph(backend):
    model = Backbone()
    shapes = [(4, 3), (3,), (3, 2), (2,)]
    assert [weight.shape for weight in model.weights] == shapes
    assert [weight.shape for weight in model.trainable_weights] == shapes
    assert [weight.shape for layer in model.layers for weight in layer.weights] == shapes


class Positions(keras.layers.Layer):
    """Repeats a table for each row, by a number that specs do not have, after a layer whose input has known sizes."""

    def __init__(self):
        super().__init__()
        self.norm = keras.layers.LayerNormalization()

    def build(self, input_shape):
        self.table = self.add_weight((4, 3), name="table")
        self.norm.build((None, 4, 3))

    def call(self, x):
        return ops.repeat(self.norm(ops.expand_dims(self.table, 0)), ops.shape(x)[0], axis=0)


def test_a_layer_may_ask_for_the_number_of_rows_after_one_of_known_sizes(backend):
    inputs = keras.Input((6,))
    outputs = Positions()(inputs)
    assert outputs.shape == (None, 4, 3)
    assert keras.Model(inputs, outputs)(np.ones((5, 6), "float32")).shape == (5, 4, 3)


class TwoStreams(keras.layers.Layer):
    def call(self, x):
        return x + 1, None

    def compute_output_shape(self, input_shape):
        return input_shape, input_shape


def test_a_layer_may_state_a_shape_for_an_output_that_it_leaves_out(backend):
    inputs = keras.Input((2,))
    first, _ = TwoStreams()(inputs)
    outputs = keras.Model(inputs, first)(np.ones((3, 2), "float32"))
    np.testing.assert_allclose(ops.convert_to_numpy(outputs), np.full((3, 2), 2.0))


class Words(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self._convert_input_args = False
        self.called_with = []

    def call(self, text):
        self.called_with.append(text)
        return len(text)


def test_a_layer_that_asks_for_it_is_called_with_text_as_it_is(backend):
    words = Words()
    text = np.array(["a", "b"])
    assert words(text) == 2 and words(["a", "b", "c"]) == 3 and words.called_with[0] is text
    with pytest.raises(ValueError, match="Expected numbers"):
        keras.layers.Dense(2)(text)


def test_an_own_from_config_of_a_file_gets_tuples_where_get_config_gave_them(tmp_path):
    @keras.saving.register_keras_serializable("packages")
    class Sized(keras.Model):
        def __init__(self, sizes, **kwargs):
            assert type(sizes) is tuple and type(sizes[1]) is tuple, sizes
            inputs = keras.Input(sizes[1])
            super().__init__(inputs=inputs, outputs=keras.layers.Dense(sizes[0])(inputs), **kwargs)
            self.sizes = sizes

        def get_config(self):
            return {"sizes": self.sizes, "name": self.name}

        @classmethod
        def from_config(cls, config):
            return cls(**config)

    model = Sized((2, (3,)))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = np.ones((1, 3), "float32")
    assert again.sizes == (2, (3,))
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_names_among_the_objects_of_a_module_stand_for_objects_with_their_defaults():
    class Greedy:
        pass

    def plain():
        pass

    options = {"printable_module_name": "samplers", "module_objects": {"greedy": Greedy, "plain": plain}}
    assert isinstance(keras.saving.deserialize_keras_object("greedy", **options), Greedy)
    assert keras.saving.deserialize_keras_object("plain", **options) is plain
    assert keras.saving.deserialize_keras_object("own", custom_objects={"own": Greedy}) is Greedy


def test_a_module_of_tensorflow_without_variables_may_be_an_attribute():
    tensorflow = pytest.importorskip("tensorflow")

    class Holder(keras.layers.Layer):
        def __init__(self, part):
            super().__init__()
            self.part = part

        def call(self, x):
            return x

    with keras.backends.use("numpy"):
        assert Holder(tensorflow.Module()).weights == []
        module = tensorflow.Module()
        module.variable = tensorflow.Variable(1.0)
        with pytest.raises(TypeError, match="Expected weights that polykeras trains"):
            print(Holder(module).weights)


def test_a_step_that_hands_its_arguments_on_gets_the_state_where_the_engine_works_so():
    class Stateless(keras.Sequential):
        def train_step(self, *args):
            return self.own_step(*args)

        def own_step(self, state, data):
            trainable, others, slots, metrics = state
            x, y = data

            def loss(values):
                outputs, _ = self.stateless_call(values, others, x)
                return jax.numpy.mean((outputs - y) ** 2)

            value, gradients = jax.value_and_grad(loss)(trainable)
            trainable, slots = self.optimizer.stateless_apply(slots, gradients, trainable)
            return {"loss": value}, (trainable, others, slots, metrics)

    x = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")
    with keras.backends.use("jax"):
        model = Stateless([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.1))
        losses = model.fit(x, x[:, :1], epochs=20, verbose=0).history["loss"]
        assert losses[-1] < 0.1 * losses[0]
        assert model._loss_tracker.name == "loss"


class LookupWithTable(keras.layers.Embedding):
    """Returns its table too, and states the shape of its first output as that of the class that it extends."""

    def compute_output_shape(self, input_shape):
        return [super().compute_output_shape(input_shape), (self.input_dim, self.output_dim)]

    def call(self, inputs):
        return [super().call(inputs), self.embeddings + 0.0]


class DoubledDense(keras.layers.Dense):
    def compute_output_shape(self, input_shape):
        *batch, units = super().compute_output_shape(input_shape)
        return (*batch, 2 * units)

    def call(self, inputs):
        y = super().call(inputs)
        return ops.concatenate([y, y], axis=-1)


class TwiceItsOwn(keras.layers.Layer):
    """Extends no layer that computes: its base class answers with the shape of its own call."""

    def compute_output_shape(self, input_shape):
        return super().compute_output_shape(input_shape)

    def call(self, inputs):
        return ops.concatenate([inputs, inputs], axis=-1)


def test_super_states_the_shape_of_what_the_extended_class_computes(backend):
    looked_up, table = LookupWithTable(20, 10)(keras.Input((None,), dtype="int32"))
    assert (looked_up.shape, table.shape) == ((None, None, 10), (20, 10))
    for layer in (DoubledDense(3), TwiceItsOwn()):
        assert layer(keras.Input((3,))).shape == (None, 6)
        assert layer.compute_output_shape((5, 3)) == (5, 6)
        assert layer(np.ones((5, 3), "float32")).shape == (5, 6)


@keras.saving.register_keras_serializable()
class OneOrSeveral(keras.layers.Layer):
    """Its build tells one input from several by the type of the shape, as layers of Keras 2 do."""

    def build(self, input_shape):
        shapes = input_shape if isinstance(input_shape, list) else [input_shape]
        self.scales = [self.add_weight(shape=(shape[-1],), initializer="ones") for shape in shapes]

    def call(self, inputs):
        inputs = inputs if isinstance(inputs, list) else [inputs]
        return sum(x * scale for x, scale in zip(inputs, self.scales, strict=True))


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_loaded_layer_is_built_for_the_shape_that_it_was_built_for(backend, tmp_path, count, suffix):
    inputs = [keras.Input((3,)) for _ in range(count)]
    model = keras.Model(inputs, OneOrSeveral()(inputs[0] if count == 1 else inputs))
    model.save(tmp_path / f"model{suffix}")
    data = [np.ones((2, 3), "float32")] * count
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / f"model{suffix}").predict(data, verbose=0), count)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (keras.layers.MaxPooling2D, (1, 3, 6, 2)),
        (lambda sizes: keras.layers.Conv2D(3, sizes, strides=sizes), (1, 3, 6, 3)),
        (keras.layers.UpSampling2D, (1, 12, 6, 2)),
        (lambda sizes: keras.layers.ZeroPadding2D(np.array([[1, 0], [0, 2]])), (1, 7, 8, 2)),
        (lambda sizes: keras.layers.Reshape(np.array([12, 6])), (1, 12, 6)),
    ],
)
def test_sizes_may_be_arrays_of_numpy_and_configs_are_written_as_text(layer, shape):
    layer = layer(np.array([2, 1]))
    assert layer(np.ones((1, 6, 6, 2), "float32")).shape == shape
    assert json.loads(json.dumps(layer.get_config()))["name"] == layer.name


class NamedFirst(keras.layers.Layer):
    """Gives the name of a weight first and the rest by keyword or in the order of Keras 2."""

    def build(self, input_shape):
        self.scale = self.add_weight("scale", shape=[input_shape[-1]], initializer="ones")
        self.shift = self.add_weight("shift", (input_shape[-1],), "float64", "ones", None, False)
        self.built = True

    def call(self, inputs):
        return inputs * self.scale + ops.cast(self.shift, "float32")


def test_the_name_of_a_weight_may_come_first_with_the_rest_by_keyword(backend):
    layer = NamedFirst()
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(np.ones((2, 3), "float32"))), np.full((2, 3), 2.0))
    assert [(w.name, w.shape, w.dtype) for w in layer.weights] == [
        ("scale", (3,), "float32"),
        ("shift", (3,), "float64"),
    ]
    assert layer.non_trainable_weights == [layer.shift]


def test_weights_of_a_model_go_through_a_group_of_an_h5_file(tmp_path):
    h5py = pytest.importorskip("h5py")
    saving = importlib.import_module("polykeras.compat.keras2.engine.saving")
    first, second = (keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="out")]) for _ in range(2))
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        saving.save_weights_to_hdf5_group(file, first)
        saving.load_weights_from_hdf5_group(file, second)
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])


def test_hooks_that_require_logs_get_them_from_a_list_that_is_called_without():
    class Noted(keras.callbacks.Callback):
        seen = []

        def on_train_begin(self, logs):
            self.seen.append(("begin", logs))

        def on_epoch_end(self, epoch, logs):
            self.seen.append((epoch, logs))

    hooks = keras.callbacks.CallbackList([Noted()])
    hooks.on_train_begin()
    hooks.on_epoch_end(epoch=3)
    hooks.on_epoch_end(4, {"loss": 1.0})
    hooks.on_epoch_end(5, logs={"loss": 2.0})
    assert Noted.seen == [("begin", {}), (3, {}), (4, {"loss": 1.0}), (5, {"loss": 2.0})]


def test_lists_of_weights_under_the_names_of_keras_2_hold_those_that_the_layer_made_itself():
    add_members()
    layer = keras.layers.BatchNormalization()
    layer.build((None, 3))
    assert [weight.name for weight in layer._trainable_weights] == ["gamma", "beta"]
    assert [weight.name for weight in layer._non_trainable_weights] == ["moving_mean", "moving_variance"]


@pytest.mark.parametrize("limits", [(0.0, 1.0, 0.25), (0, 2, 0.5), (3.0,)])
def test_arange_of_keras_2_keeps_the_numbers_between_floats(backend, limits):
    numbers = keras.backend.arange(*limits)
    np.testing.assert_array_equal(ops.convert_to_numpy(numbers), np.arange(*limits, dtype="float32"), strict=True)
    assert keras.backend.dtype(keras.backend.arange(0.0, 3.0, dtype="int64")) == "int64"
