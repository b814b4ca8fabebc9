"""Random programs of calls and settings do what they do line by line."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polykeras as keras
from polykeras import backends, layers
from polykeras.capture import tape

RNG = np.random.default_rng(3)
X = RNG.normal(size=(6, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")

INNER = {
    "dense": lambda: layers.Dense(4, activation="tanh", kernel_regularizer="l2"),
    "dropout": lambda: layers.Dropout(0.3, seed=1),
    "noise": lambda: layers.GaussianNoise(0.2, seed=2),
    "slope": lambda: layers.LeakyReLU(0.2),
    "average": lambda: layers.BatchNormalization(),
    "scale": lambda: layers.Rescaling(2.0),
    "norm": lambda: layers.LayerNormalization(),
}
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.05, momentum=0.5),
    "decayed": lambda: keras.optimizers.SGD(0.05, weight_decay=0.1, clipnorm=1.0),
    "adam": lambda: keras.optimizers.Adam(0.01),
}
# What may be set, where there is such an attribute: on layers, regularizers, the optimizer and the loss.
NUMBERS = {
    **dict.fromkeys(["rate", "stddev", "negative_slope", "momentum", "label_smoothing"], [0.0, 0.1, 0.3, 0.4, 0.6]),
    **dict.fromkeys(["weight_decay", "clipnorm", "epsilon", "l2", "scale"], [0.05, 0.1, 0.2, 0.5]),
    "activation": [keras.activations.relu, keras.activations.tanh, keras.activations.softplus],
    "activity_regularizer": [None, keras.regularizers.L2(0.1), keras.regularizers.L1(0.1)],
    "learning_rate": [0.01, 0.1, 0.02, 0.03],
}
RUNS = ("fit", "predict", "evaluate", "call", "train_on_batch")

sets = st.tuples(st.just("set"), st.sampled_from(sorted(NUMBERS)), st.integers(0, 5), st.integers(0, 5))
runs = st.tuples(st.sampled_from(RUNS), st.integers(1, 4))
programs = st.tuples(
    st.lists(st.sampled_from(sorted(INNER)), min_size=1, max_size=4),
    st.sampled_from(sorted(OPTIMIZERS)),
    st.lists(st.one_of(runs, sets, sets), min_size=4, max_size=14),
)


def things_with(model, name):
    found = [*model.layers, *(w.regularizer for w in model.weights if w.regularizer), model.optimizer, model.loss]
    return [x for x in found if name in vars(x) or name == "learning_rate" and x is model.optimizer]


def assign(model, name, which, value):
    things, values = things_with(model, name), NUMBERS[name]
    if things:
        setattr(things[which % len(things)], name, values[value % len(values)])


def execute(program):
    """Run a program; return all that it returned, and the weights at its end."""
    inner, optimizer, actions = program
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), *(INNER[name]() for name in inner), layers.Dense(1)])
    model.compile(OPTIMIZERS[optimizer](), keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1))
    calls = {
        "fit": lambda: model.fit(X, Y, batch_size=6, epochs=1, shuffle=False, verbose=0).history["loss"],
        "predict": lambda: model.predict(X, verbose=0),
        "evaluate": lambda: model.evaluate(X, Y, verbose=0),
        "call": lambda: keras.ops.convert_to_numpy(model(X)),
        "train_on_batch": lambda: model.train_on_batch(X, Y),
    }
    results = []
    for action in actions:
        if action[0] == "set":
            assign(model, *action[1:])
        else:
            results += [np.asarray(calls[action[0]]()) for _ in range(action[1])]
    return [*results, *model.get_weights()]


def check(program):
    found = execute(program)
    keras.config.run_functions_eagerly(True)
    try:
        with backends.use("numpy"):
            expected = execute(program)
    finally:
        keras.config.run_functions_eagerly(False)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("most", [0, 1e9])
@pytest.mark.parametrize("name", [name for name in ("numpy", "torch") if name in backends.available()])
def test_programs_do_what_they_do_line_by_line(name, most, monkeypatch):
    monkeypatch.setattr(tape, "_MOST_BYTES", most)
    health = [HealthCheck.too_slow]

    @settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=health)
    @given(programs)
    def run(program):
        with backends.use(name):
            check(program)

    run()


@pytest.mark.parametrize("name", [name for name in ("jax", "tensorflow") if name in backends.available()])
def test_a_compiled_program_does_what_it_does_line_by_line(name):
    """One of each kind: compiling takes its time."""
    moves = [("set", name, 0, index) for index in range(1, 5) for name in ("rate", "momentum", "l2", "learning_rate")]
    actions = [step for move in range(4) for step in (*moves[move * 4 : move * 4 + 4], ("fit", 1), ("call", 1))]
    with backends.use(name):
        check((["dense", "dropout", "average"], "sgd", actions))
