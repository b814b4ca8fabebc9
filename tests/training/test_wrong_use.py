"""Wrong use is refused before anything is computed, with the same error in the same words on every backend."""

import copy

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers
from polykeras.capture import step

ROWS = 12
X = np.random.default_rng(0).random((ROWS, 4)).astype("float32")
Y = X.sum(-1, keepdims=True)
LABELS = np.arange(ROWS) % 3
BOTH, TARGETS = {"a": X, "b": X}, {"o": Y, "p": Y}


def regression(**arguments):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile(**{"optimizer": "sgd", "loss": "mse", **arguments})
    return model


def classifier(loss="sparse_categorical_crossentropy", units=3):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(units, activation="softmax")])
    model.compile("sgd", loss, metrics=["accuracy"])
    return model


def subclassed():
    class Classifier(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3, activation="softmax")

        def call(self, x):
            return self.dense(x)

    model = Classifier()
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def two_outputs(loss="mse", **arguments):
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    model = keras.Model({"a": a, "b": b}, {"o": layers.Dense(1, name="o")(a + b), "p": layers.Dense(1, name="p")(a)})
    model.compile("sgd", loss, **arguments)
    return model


class Batches(keras.utils.PyDataset):
    def __init__(self, *batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def function_of_no_kind():
    """No data."""


def fit(*data, make=regression, **arguments):
    """A call of fit, each time with a fresh copy of an iterator."""
    return lambda: make().fit(*map(fresh, data), **{"verbose": 0, **arguments})


def fresh(data):
    return copy.copy(data) if hasattr(data, "__next__") else data


def fits(*data, **arguments):
    """A fit of the regression's data with one wrong argument."""
    return fit(X, Y, **arguments)


CASES = {
    # Numbers.
    "epochs below 0": (fits(epochs=-1), ValueError, "epochs to be an int, at least 0. Received: -1"),
    "epochs and a half": (fits(epochs=1.5), ValueError, "epochs.*1.5"),
    "epochs as text": (fits(epochs="3"), ValueError, "epochs.*'3'"),
    "epochs as a bool": (fits(epochs=True), ValueError, "epochs.*True"),
    "batch size 0": (fits(batch_size=0), ValueError, "batch_size.*0"),
    "batch size as a float": (fits(batch_size=4.0), ValueError, "batch_size.*4.0"),
    "batch size as text": (fits(batch_size="8"), ValueError, "batch_size.*'8'"),
    "initial epoch": (fits(initial_epoch=-2), ValueError, "initial_epoch.*-2"),
    "no steps": (fits(steps_per_epoch=0), ValueError, "steps_per_epoch.*0"),
    "steps of evaluate": (lambda: regression().evaluate(X, Y, steps=0, verbose=0), ValueError, "steps.*0"),
    "steps of predict": (lambda: regression().predict(X, steps=-1, verbose=0), ValueError, "steps.*-1"),
    "batch size of predict": (lambda: regression().predict(X, batch_size=0, verbose=0), ValueError, "batch_size"),
    "validation steps": (fits(validation_data=(X, Y), validation_steps=0), ValueError, "validation_steps"),
    "validation batch": (fits(validation_data=(X, Y), validation_batch_size=0), ValueError, "validation_batch_size"),
    "validation frequency": (fits(validation_freq=0), ValueError, "validation_freq"),
    "validation frequency as a float": (fits(validation_freq=1.5), ValueError, "validation_freq"),
    "split above 1": (fits(validation_split=1.5), ValueError, "to be greater than 0 and less than 1. Received: 1.5"),
    "split below 0": (fits(validation_split=-0.1), ValueError, "validation_split.*-0.1"),
    "split as text": (fits(validation_split="a"), ValueError, "validation_split.*'a'"),
    "split of everything": (fits(validation_split=0.999), ValueError, "rows on both sides"),
    "split beside validation data": (fits(validation_split=2, validation_data=(X, Y)), ValueError, "validation_split"),
    "split of a generator": (fit(iter([(X, Y)]), validation_split=0.2), ValueError, "arrays for validation_split"),
    "split of a dataset": (fit(Batches((X, Y)), validation_split=0.2), ValueError, "arrays for validation_split"),
    "shuffle": (fits(shuffle="always"), ValueError, "shuffle to be True, False or 'batch'. Received: 'always'"),
    "verbose": (fits(verbose=7), ValueError, "verbose.*7"),
    "workers": (fits(workers=-1), ValueError, "workers.*-1"),
    "queue": (fits(max_queue_size=0), ValueError, "max_queue_size.*0"),
    "processes": (fits(use_multiprocessing="yes"), ValueError, "use_multiprocessing.*'yes'"),
    "workers of a dataset": (lambda: keras.utils.PyDataset(workers=1.5), ValueError, "workers.*1.5"),
    "unknown argument": (fits(epoch=3), TypeError, "epoch"),
    "unknown argument of evaluate": (lambda: regression().evaluate(X, Y, nb_epoch=3), TypeError, "nb_epoch"),
    "unknown argument of a batch": (lambda: regression().train_on_batch(X, Y, epochs=3), TypeError, "epochs"),
    "callbacks as names": (fits(callbacks=["log"]), TypeError, "Callback objects. Received: 'log'"),
    "callbacks as functions": (fits(callbacks=[len]), TypeError, "Callback objects"),
    "callbacks as classes": (fits(callbacks=keras.callbacks.History), TypeError, "Callback objects.*History"),
    # Data.
    "no data": (fit(), ValueError, "Expected data x. Received: None"),
    "no data to predict": (lambda: regression().predict(None, verbose=0), ValueError, "Expected data x"),
    "no rows": (fit(X[:0], Y[:0]), ValueError, "at least one row"),
    "empty list": (fit([], []), ValueError, "holds no array"),
    "empty generator": (fit(iter([])), ValueError, "at least one batch"),
    "empty dataset": (fit(Batches()), ValueError, "at least one batch"),
    "a number": (fit(5, Y), TypeError, "Received: 5 of type int"),
    "a text": (fit("data.csv", Y), TypeError, "Received: 'data.csv' of type str"),
    "a function": (fit(function_of_no_kind), TypeError, "of type function"),
    "a scalar": (fit(np.float32(3), Y), ValueError, "batch axis for x"),
    "a symbol": (fit(keras.KerasTensor((None, 4)), Y), ValueError, "data with values"),
    "strings": (fit(np.array([["a"] * 4] * ROWS), Y), ValueError, "numbers.*StringLookup"),
    "nothing inside": (fit(np.array([[None] * 4] * ROWS), Y), ValueError, "data of numbers.*None"),
    "dates": (fit(np.zeros((ROWS, 4), "datetime64[s]"), Y), ValueError, "data of numbers.*datetime64"),
    "unequal rows": (fit([[1, 2], [3]], [1, 2]), ValueError, "equal lengths.*pad_sequences"),
    "lengths of x and y": (fit(X, Y[:5]), ValueError, "12 rows of x, 5 rows of y"),
    "lengths in a batch": (fit(iter([(X, Y[:5])])), ValueError, r"y_true of shape \(5, 1\), y_pred of shape \(12, 1\)"),
    "lengths of inputs": (lambda: two_outputs().predict({"a": X, "b": X[:3]}), ValueError, "equal lengths.*x.*3, 4"),
    "lengths of weights": (fits(sample_weight=np.ones(3)), ValueError, "3 rows of sample_weight"),
    "y beside a generator": (fit(iter([(X, Y)]), Y), ValueError, "y only along with arrays"),
    "weights beside a dataset": (fit(Batches((X, Y)), sample_weight=Y), ValueError, "only along with arrays"),
    "four parts": (fit(iter([(X, Y, Y, Y)])), ValueError, "Received: a tuple of 4 parts"),
    "no parts": (fit(Batches(())), ValueError, "Received: a tuple of 0 parts"),
    "four parts to validate": (fits(validation_data=(X, Y, Y, Y)), ValueError, "a tuple of 4 parts"),
    "several batches as one": (lambda: regression().train_on_batch(iter([(X, Y)])), ValueError, "one batch, as arrays"),
    "features": (fit(X[:, :3], Y), ValueError, "dense.*size 4. Received: 3"),
    "features in a later batch": (
        fit(Batches((X, Y), (X[:, :3], Y)), shuffle=False),
        ValueError,
        "size 4.*Received: 3",
    ),
    "features to validate": (fits(validation_data=(X[:, :3], Y)), ValueError, "size 4. Received: 3"),
    "missing input": (fit({"a": X}, TARGETS, make=two_outputs), ValueError, r"missing: \['b'\], unknown: \[\]"),
    "misspelt input": (fit({"a": X, "B": X}, TARGETS, make=two_outputs), ValueError, r"\['b'\], unknown: \['B'\]"),
    "too few inputs": (fit([X], TARGETS, make=two_outputs), ValueError, r"2 input\(s\).*Received: 1"),
    "too many inputs": (fit([X, X], Y), ValueError, r"1 input\(s\).*Received: 2"),
    # Targets.
    "no targets": (fit(X), ValueError, "targets y for the loss 'mse'. Received: None"),
    "no targets to evaluate": (lambda: regression().evaluate(X, verbose=0), ValueError, "targets y for the loss"),
    "no targets in a batch": (lambda: regression().train_on_batch(X), ValueError, "targets y for the loss"),
    "no targets of a generator": (fit(iter([X])), ValueError, "targets y for the loss"),
    "no targets to validate": (fits(validation_data=(X,)), ValueError, "targets y for the loss"),
    "weights without targets": (fit(X, None, sample_weight=np.ones(ROWS)), ValueError, "y along with sample_weight"),
    "unknown target": (fit(BOTH, {"o": Y, "q": Y}, make=two_outputs), ValueError, "'q'"),
    "misspelt target": (fit(BOTH, {"o": Y, "pp": Y}, make=two_outputs), ValueError, "Did you mean 'p'"),
    "missing target": (fit(BOTH, {"o": Y}, make=two_outputs), ValueError, "output 'p', which has a loss"),
    "too few targets": (fit(BOTH, [Y], make=two_outputs), ValueError, r"2 outputs \['o', 'p'\]"),
    "targets of another shape": (fit(X, np.ones((ROWS, 5))), ValueError, r"shape of the output, \(None, 1\), for mse"),
    "label too large": (fit(X, LABELS + 1, make=classifier), ValueError, "below 3.*Received: 3, among 4"),
    "negative label": (fit(X, LABELS - 1, make=classifier), ValueError, "from 0.*Received: -1"),
    "fractional label": (fit(X, LABELS + 0.5, make=classifier), ValueError, "whole numbers.*Received: 0.5"),
    "label of a subclass": (fit(X, LABELS + 1, make=subclassed), ValueError, "below 3"),
    "label of a generator": (fit(iter([(X, LABELS + 1)]), make=classifier), ValueError, "below 3"),
    "label in a later batch": (fit(Batches((X, LABELS), (X, LABELS + 1)), make=classifier), ValueError, "below 3"),
    "label to validate": (fit(X, LABELS, validation_data=(X, LABELS + 1), make=classifier), ValueError, "below 3"),
    "label to evaluate": (lambda: classifier().evaluate(X, LABELS + 1, verbose=0), ValueError, "below 3"),
    "label of a batch": (lambda: classifier().train_on_batch(X, LABELS + 1), ValueError, "below 3"),
    "label by shape": (fit(X, LABELS + 1, make=lambda: classifier("crossentropy")), ValueError, "below 3"),
    "label of one of two outputs": (
        fit(
            BOTH,
            {"o": Y, "p": Y[:, 0] * 0 + 1},
            make=lambda: two_outputs({"o": "mse", "p": "sparse_categorical_crossentropy"}),
        ),
        ValueError,
        "below 1",
    ),
    "binary label": (fit(X, LABELS, make=lambda: classifier("binary_crossentropy", 1)), ValueError, "from 0 to 1.*2"),
    "one-hot for sparse": (fit(X, np.eye(3)[LABELS], make=classifier), ValueError, "use categorical_crossentropy"),
    "labels for one-hot": (
        fit(X, LABELS, make=lambda: classifier("categorical_crossentropy")),
        ValueError,
        "use sparse_categorical_crossentropy",
    ),
    # Weights.
    "weights of another shape": (fits(sample_weight=np.ones((ROWS, 3))), ValueError, r"Received.*\(12, 3\)"),
    "weights as a number": (fits(sample_weight=2.0), ValueError, "batch axis for sample_weight"),
    "weights as text": (fits(sample_weight="balanced"), ValueError, "data of numbers.*'balanced'"),
    "weights of an unknown output": (
        fit(BOTH, TARGETS, sample_weight={"q": np.ones(ROWS)}, make=two_outputs),
        ValueError,
        "sample_weight by the names.*'q'",
    ),
    "weights by name": (fit(X, LABELS, class_weight={"a": 1.0}, make=classifier), ValueError, "class_weight.*'a'"),
    "weights as words": (fit(X, LABELS, class_weight={0: "a"}, make=classifier), ValueError, "class_weight.*'a'"),
    "negative weights": (fit(X, LABELS, class_weight={0: -1.0}, make=classifier), ValueError, "class_weight.*-1"),
    "weights in a list": (fit(X, LABELS, class_weight=[1, 2, 3], make=classifier), ValueError, "class_weight"),
    "weights balanced": (fit(X, LABELS, class_weight="balanced", make=classifier), ValueError, "class_weight"),
    "weights of half a class": (fit(X, LABELS, class_weight={0.5: 1.0}, make=classifier), ValueError, "whole number"),
    "classes of two outputs": (fit(BOTH, TARGETS, class_weight={0: 1.0}, make=two_outputs), ValueError, "one output"),
    # compile.
    "loss": (lambda: regression(loss="mean_square_error"), ValueError, "Did you mean 'mean_squared_error'"),
    "optimizer": (lambda: regression(optimizer="addam"), ValueError, "Did you mean 'adam'"),
    "metric": (lambda: regression(metrics=["acuracy"]), ValueError, "Did you mean 'accuracy'"),
    "metrics as a name": (lambda: regression(metrics="mae"), ValueError, r"Write \['mae'\]"),
    "activation": (lambda: layers.Dense(1, activation="sigmod"), ValueError, "Did you mean 'sigmoid'"),
    "initializer": (
        lambda: layers.Dense(1, kernel_initializer="glorot_unifrom"),
        ValueError,
        "Did you mean 'glorot_uniform'",
    ),
    "optimizer of no kind": (lambda: regression(optimizer=5), TypeError, "Received: 5"),
    "loss of no kind": (lambda: regression(loss=5), TypeError, "Received: 5"),
    "metric of no kind": (lambda: regression(metrics=[5]), TypeError, "Received: 5"),
    "losses for one output": (fit(X, Y, make=lambda: regression(loss=["mse", "mae"])), ValueError, "loss for one"),
    "loss of an unknown output": (
        fit(BOTH, TARGETS, make=lambda: two_outputs({"o": "mse", "q": "mse"})),
        ValueError,
        "loss by the names.*'q'",
    ),
    "loss weights": (lambda: regression(loss_weights="a"), ValueError, "loss_weights as numbers. Received: 'a'"),
    "weights of unknown losses": (
        fit(BOTH, TARGETS, make=lambda: two_outputs(loss_weights={"q": 1.0})),
        ValueError,
        "loss_weights by the names.*'q'",
    ),
    "steps in one": (lambda: regression(steps_per_execution=0), ValueError, "steps_per_execution"),
    "compiler": (lambda: regression(jit_compile="maybe"), ValueError, "jit_compile"),
    "unknown argument of compile": (lambda: regression(losses="mse"), TypeError, "losses"),
    "no loss": (fit(X, Y, make=lambda: regression(loss=None)), ValueError, "Expected a loss. Received: none"),
    "fit before compile": (
        lambda: keras.Sequential([keras.Input((4,)), layers.Dense(1)]).fit(X, Y),
        RuntimeError,
        r"compile\(\) before fit\(\)",
    ),
    "evaluate before compile": (
        lambda: keras.Sequential([keras.Input((4,)), layers.Dense(1)]).evaluate(X, Y),
        RuntimeError,
        r"compile\(\) before evaluate\(\)",
    ),
    "a batch before compile": (
        lambda: keras.Sequential([keras.Input((4,)), layers.Dense(1)]).train_on_batch(X, Y),
        RuntimeError,
        r"compile\(\) before train_on_batch\(\)",
    ),
}

# A batch that comes later is looked at when it comes: those before it were trained on.
LATER = ("features in a later batch", "label in a later batch")


@pytest.mark.parametrize("name", CASES)
def test_wrong_use_is_refused_alike_on_every_backend(name, monkeypatch):
    call, error, message = CASES[name]
    monkeypatch.setattr(step.Step, "__call__", no_step)
    monkeypatch.setattr(step.Step, "on_rows", no_step)
    if name in LATER:
        monkeypatch.undo()
    words = set()
    for backend in backends.available():
        keras.backend.clear_session()
        with backends.use(backend), pytest.raises(error, match=message) as caught:
            call()
        assert str(caught.value).count("Expected") or error is TypeError
        words.add((type(caught.value), str(caught.value)))
    assert len(words) == 1


def no_step(*arguments):
    raise AssertionError("a step was run")


def test_targets_of_size_1_are_broadcast_with_a_warning(backend):
    model = classifier("mae")
    with pytest.warns(UserWarning, match=r"output, \(None, 3\), for mae.*\(12, 1\).*broadcast"):
        loss = model.evaluate(X, Y, verbose=0)[0]
    assert loss == pytest.approx(np.abs(Y - model.predict(X, verbose=0)).mean(), rel=1e-5)


def test_values_that_no_input_takes_are_left_out_with_a_warning(backend):
    model = two_outputs()
    expected = model.predict(BOTH, verbose=0)
    for arguments in ({**BOTH, "c": X}, {"c": X[:, :1], "b": BOTH["b"], "a": BOTH["a"]}):
        with pytest.warns(UserWarning, match=r"inputs \['a', 'b'\].*\['c'\] too"):
            found = model.predict(arguments, verbose=0)
        np.testing.assert_allclose(found["o"], expected["o"], rtol=1e-6)


def test_a_refused_batch_leaves_the_weights_as_before(backend):
    model = classifier()
    before = model.get_weights()
    for wrong in (LABELS + 1, LABELS - 1, LABELS + 0.5):
        with pytest.raises(ValueError, match="Expected labels"):
            model.train_on_batch(X, wrong)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_labels_that_a_loss_ignores_are_no_mistake():
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    history = classifier(loss).fit(X, LABELS - 1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_own_steps_may_take_targets_of_any_kind():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            x, y = data
            return {"loss": keras.ops.mean(self(x)) + keras.ops.mean(y)}

    model = Own()
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert np.isfinite(model.fit(X, LABELS + 7, verbose=0).history["loss"]).all()
