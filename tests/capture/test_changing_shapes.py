"""Batches whose shapes keep changing, such as sequences of all lengths: the same numbers, with few captures."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers, ops
from polykeras.capture import tape

LENGTHS = [12, 20, 13, 17, 15, 12, 16, 19, 21, 13, 22, 24]
NETWORKS = {
    "convolution": lambda: [layers.Conv1D(8, 3, padding="same", activation="relu"), layers.GlobalMaxPooling1D()],
    "recurrence": lambda: [layers.LSTM(6, return_sequences=True), layers.Dropout(0.2), layers.GRU(4)],
    "mask": lambda: [layers.Masking(), layers.Bidirectional(layers.LSTM(4))],
    "windows": lambda: [
        layers.TimeDistributed(layers.Dense(4)),
        layers.MaxPooling1D(2),
        layers.Conv1D(4, 3, strides=2),
        layers.UpSampling1D(2),
        layers.GlobalAveragePooling1D(),
    ],
    "noise": lambda: [
        layers.SpatialDropout1D(0.2),
        layers.Conv1DTranspose(4, 3, strides=2),
        layers.SeparableConv1D(4, 3),
        layers.GaussianNoise(0.1),
        layers.GlobalMaxPooling1D(),
    ],
    "attention": lambda: [Attentive(), layers.GlobalAveragePooling1D()],
}


@keras.saving.register_keras_serializable("tests")
class Attentive(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention, self.norm = layers.MultiHeadAttention(2, 4), layers.LayerNormalization()

    def call(self, inputs):
        return self.norm(inputs + self.attention(inputs, inputs, use_causal_mask=True))


@keras.saving.register_keras_serializable("tests")
class SumOfSteps(layers.Layer):
    """Asks for the number of steps in Python."""

    def call(self, inputs):
        total = 0.0
        for index in range(inputs.shape[1]):
            total = total + inputs[:, index]
        return total / inputs.shape[1]


@keras.saving.register_keras_serializable("tests")
class Halves(layers.Layer):
    """Treats even and odd numbers of steps differently."""

    def call(self, inputs):
        if ops.shape(inputs)[1] % 2 == 0:
            return ops.mean(inputs, 1)
        return ops.max(inputs, 1) if ops.shape(inputs)[1] > 15 else ops.min(inputs, 1)


class Asks(layers.Layer):
    """Computes one of two results, by what it is told about its input's shape."""

    def __init__(self, question):
        super().__init__()
        self.question = question

    def call(self, inputs):
        return ops.mean(inputs, 1) if self.question(inputs) else ops.max(inputs, 1)


# The answers differ for a length or a number of rows among the last batches.
QUESTIONS = {
    "equal": lambda x: x.shape[1] == 22,
    "unequal": lambda x: x.shape[1] != 22,
    "contained": lambda x: x.shape[1] in {22, 24},
    "contained_size": lambda x: ops.shape(x)[1] in {22, 24},
    "looked_up": lambda x: {22: True}.get(ops.shape(x)[1], False),
    "shape": lambda x: tuple(x.shape[1:]) == (22, 5),
    "unpacked": lambda x: (lambda rows, steps, width: steps == 22)(*x.shape),
    "listed": lambda x: list(x.shape)[1] == 22,
    "int_shape": lambda x: keras.backend.int_shape(x)[1] == 22,
    "two_shapes": lambda x: x[:, ::2].shape == x[:, 1::2].shape,
    "two_sizes": lambda x: ops.shape(x[:, ::2])[1] == ops.shape(x[:, 1::2])[1],
    "two_tuples": lambda x: ops.shape(x[:, ::2]) == ops.shape(x[:, 1::2]),
    "computed": lambda x: ops.shape(x)[1] - 22,
    "text": lambda x: str(x.shape).count("22") == 1,
    "text_of_size": lambda x: str(ops.shape(x)[1]) == "22",
    "elements": lambda x: int(np.prod(x.shape)) > 600,
}


@keras.saving.register_keras_serializable("tests")
class PythonRuns(layers.Layer):
    runs = 0

    def call(self, inputs):
        PythonRuns.runs += not backends.current().is_symbolic
        return inputs


def batch(length, rows=6):
    chances = np.random.default_rng(length)
    return chances.normal(size=(rows, length, 5)).astype("float32"), chances.normal(size=(rows, 1)).astype("float32")


def make(network):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((None, 5)), *network(), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def numbers_of(name, network):
    with keras.backends.use(name):
        model = make(network)
        losses = [model.train_on_batch(*batch(length)) for length in LENGTHS]
        losses += [model.test_on_batch(*batch(length, rows)) for rows, length in enumerate(LENGTHS, 1)]
        outputs = [model.predict(batch(length, rows)[0], verbose=0) for rows, length in enumerate(LENGTHS, 1)]
        return [np.array(losses), np.concatenate(outputs)]


@pytest.mark.parametrize("name", [name for name in ("torch", "tensorflow") if name in backends.available()])
@pytest.mark.parametrize(
    "network", [*NETWORKS.values(), lambda: [SumOfSteps()], lambda: [Halves()]], ids=[*NETWORKS, "sum", "halves"]
)
def test_batches_of_all_lengths_give_the_numbers_of_numpy(name, network):
    for found, expected in zip(numbers_of(name, network), numbers_of("numpy", network), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in ("torch", "tensorflow") if name in backends.available()])
@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_python_code_is_told_the_sizes_of_each_batch(name, question):
    def losses(engine):
        with keras.backends.use(engine):
            model = make(lambda: [Asks(question)])
            return [model.train_on_batch(*batch(length)) for length in LENGTHS]

    np.testing.assert_allclose(losses(name), losses("numpy"), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in ("torch", "tensorflow") if name in backends.available()])
def test_numbers_of_rows_that_change_after_the_lengths_do(name):
    rows = [6, 6, 6, 6, 6, 1, 4, 6, 3, 1, 2, 4]

    def losses(engine):
        with keras.backends.use(engine):
            model = make(NETWORKS["convolution"])
            return [model.train_on_batch(*batch(*shape)) for shape in zip(LENGTHS, rows, strict=True)]

    np.testing.assert_allclose(losses(name), losses("numpy"), rtol=1e-3, atol=1e-4)


def test_few_graphs_are_traced_for_many_lengths():
    pytest.importorskip("tensorflow", reason="PyTorch and NumPy have no graphs, and JAX none for several shapes")
    with keras.backends.use("tensorflow"):
        model = make(lambda: [PythonRuns(), layers.GlobalMaxPooling1D()])
        model.train_on_batch(*batch(5))
        PythonRuns.runs = 0
        for length in range(6, 40):
            model.train_on_batch(*batch(length))
        assert PythonRuns.runs < 8


@pytest.mark.parametrize("in_a_loop", [False, True])
def test_what_a_step_prints_is_printed_once(capfd, in_a_loop):
    tensorflow = pytest.importorskip("tensorflow", reason="only TensorFlow prints from a graph")

    class Prints(keras.Model):
        def __init__(self):
            super().__init__()
            self.pool, self.dense = layers.GlobalMaxPooling1D(), layers.Dense(1)

        def call(self, inputs):
            def show(index):
                tensorflow.print("length", tensorflow.shape(inputs)[1])
                return index + 1

            tensorflow.while_loop(lambda index: index < 1, show, [0]) if in_a_loop else show(0)
            return self.dense(self.pool(inputs))

    with keras.backends.use("tensorflow"):
        model = Prints()
        model.compile("sgd", "mse")
        for length in LENGTHS:
            model.train_on_batch(*batch(length))
    printed = [line for line in capfd.readouterr().err.splitlines() if line.startswith("length")]
    assert printed == [f"length {length}" for length in LENGTHS]


@pytest.mark.parametrize("name", [name for name in ("torch", "numpy") if name in backends.available()])
def test_a_shape_is_recorded_when_it_keeps_coming(name, monkeypatch):
    recorded = []
    plain = tape.Replayed._make
    monkeypatch.setattr(tape.Replayed, "_make", lambda self, arguments: recorded.append(1) or plain(self, arguments))
    with keras.backends.use(name):
        model = make(lambda: [layers.GlobalMaxPooling1D()])
        for length in range(5, 40):
            model.train_on_batch(*batch(length))
        assert 1 <= len(recorded) <= 5
        before = len(recorded)
        for _ in range(20):
            model.train_on_batch(*batch(39))
        assert len(recorded) == before + 1


def test_variables_of_the_program_are_updated_once_a_step():
    tensorflow = pytest.importorskip("tensorflow", reason="only TensorFlow has variables of its own in graphs")
    steps = tensorflow.Variable(0, dtype="int64")

    class Counts(layers.Layer):
        def call(self, inputs):
            steps.assign_add(tensorflow.cast(tensorflow.shape(inputs)[0] > 0, "int64"))
            return inputs

    with keras.backends.use("tensorflow"):
        model = make(lambda: [Counts(), layers.GlobalMaxPooling1D()])
        for length in LENGTHS:
            model.train_on_batch(*batch(length))
    assert int(steps) == len(LENGTHS)
