"""Distillation: losses against formulas in NumPy, what trains and what stays, files."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras.distillation import Distiller, FeatureDistillation, LogitsDistillation

rng = np.random.default_rng(0)
X = rng.normal(size=(12, 4)).astype("float32")
Y = rng.integers(0, 3, 12)
TEACHER, STUDENT = rng.normal(size=(2, 5, 3)).astype("float32")
CROSSENTROPY = "sparse_categorical_crossentropy"


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def softened(teacher, student, temperature):
    """Hinton's loss: the divergence of softened outputs, times the temperature's square."""
    t, s = log_softmax(teacher / temperature), log_softmax(student / temperature)
    return np.mean(np.sum(np.exp(t) * (t - s), -1)) * temperature**2


def network(width, prefix, **options):
    layers = [keras.layers.Dense(width, "tanh", name=f"{prefix}_1"), keras.layers.Dense(3, name=f"{prefix}_2")]
    return keras.Sequential([keras.Input((4,)), *layers], **options)


def number(x):
    return float(keras.ops.convert_to_numpy(x))


def compiled(distiller, rate=0.1):
    distiller.compile(keras.optimizers.SGD(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return distiller


@pytest.mark.parametrize("loss", ["kl_divergence", keras.losses.KLDivergence()])
def test_logits_are_softened_and_compared_as_probabilities(loss, backend):
    found = LogitsDistillation(2.5, loss).compute_loss(TEACHER, STUDENT)
    np.testing.assert_allclose(number(found), softened(TEACHER, STUDENT, 2.5), rtol=1e-4)


def test_losses_of_several_outputs_add_up_without_those_that_are_none(backend):
    outputs = {"a": TEACHER, "b": TEACHER, "c": TEACHER}, {"a": STUDENT, "b": STUDENT, "c": STUDENT}
    found = FeatureDistillation({"a": "mse", "b": None, "c": "mae"}).compute_loss(*outputs)
    expected = np.mean((TEACHER - STUDENT) ** 2) + np.mean(np.abs(TEACHER - STUDENT))
    np.testing.assert_allclose(number(found), expected, rtol=1e-5)


def test_the_student_learns_by_both_losses_and_the_teacher_stays(backend):
    teacher, student = network(8, "teacher"), network(4, "student")
    distiller = compiled(Distiller(teacher, student, LogitsDistillation(2.0), student_loss_weight=0.3))
    before = [w.copy() for w in teacher.get_weights()], [w.copy() for w in student.get_weights()]
    logits = student.predict(X, verbose=0)
    own = np.mean(-log_softmax(logits)[np.arange(12), Y])
    distilled = softened(teacher.predict(X, verbose=0), logits, 2.0)
    history = distiller.fit(X, Y, batch_size=12, epochs=1, verbose=0).history
    expected = {"student_loss": own, "distillation_loss": distilled, "total_loss": 0.3 * own + 0.7 * distilled}
    assert {name: history[name][0] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert history["loss"] == pytest.approx(history["total_loss"], rel=1e-5)
    assert all(np.array_equal(*pair) for pair in zip(before[0], teacher.get_weights(), strict=True))
    assert not any(np.array_equal(*pair) for pair in zip(before[1], student.get_weights(), strict=True))
    assert distiller.predict(X, verbose=0).shape == (12, 3)


def test_layers_inside_are_compared_by_their_names(backend):
    teacher, student = network(6, "teacher"), network(6, "student")
    loss = FeatureDistillation("mse", "teacher_1", "student_1")
    both = [loss, LogitsDistillation(1.0)]
    distiller = compiled(Distiller(teacher, student, both, [0.5, 2.0], student_loss_weight=0.0))
    hidden = [np.tanh(X @ w[0] + w[1]) for w in (teacher.get_weights(), student.get_weights())]
    logits = [model.predict(X, verbose=0) for model in (teacher, student)]
    expected = 0.5 * np.mean((hidden[0] - hidden[1]) ** 2) + 2 * softened(*logits, 1.0)
    results = distiller.evaluate(X, Y, verbose=0, return_dict=True)
    assert results["distillation_loss"] == pytest.approx(expected, rel=1e-4)
    assert results["student_loss"] == 0
    assert len(distiller.trainable_variables) == 4


def test_enough_steps_bring_the_student_to_the_teacher():
    teacher, student = network(8, "teacher"), network(8, "student")
    distiller = Distiller(teacher, student, LogitsDistillation(1.0), student_loss_weight=0.0)
    distiller.compile(keras.optimizers.Adam(0.05), CROSSENTROPY)
    losses = distiller.fit(X, Y, epochs=60, verbose=0).history["distillation_loss"]
    assert losses[-1] < 0.02 * losses[0]


def test_a_distiller_is_saved_with_both_models(tmp_path, backend):
    loss = [LogitsDistillation(4.0), FeatureDistillation("mae", "teacher_1", "student_1")]
    distiller = compiled(Distiller(network(5, "teacher"), network(5, "student"), loss, student_loss_weight=0.7))
    distiller.fit(X, Y, verbose=0)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.saving.load_model(tmp_path / "distiller.keras")
    assert loaded.student_loss_weight == 0.7
    assert loaded.distillation_losses[0].temperature == 4.0
    assert not loaded.teacher.trainable
    expected = distiller.evaluate(X, Y, verbose=0, return_dict=True)
    assert loaded.evaluate(X, Y, verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda t, s: Distiller("t", s, LogitsDistillation()), "Expected teacher to be a Model. Received: 't'"),
        (lambda t, s: Distiller(t, s, None), "distillation_losses as DistillationLoss objects. Received: None"),
        (lambda t, s: Distiller(t, s, LogitsDistillation(), student_loss_weight=2), "from 0 to 1. Received: 2"),
        (lambda t, s: Distiller(t, s, [LogitsDistillation()], [1, 2]), "a weight for each of the 1"),
        (lambda t, s: Distiller(t, s, FeatureDistillation("mse", "nowhere")), "one of its 2 layers. Received: 'nowh"),
        (lambda t, s: Distiller(t, s, LogitsDistillation()).compile("sgd"), "the loss of the student"),
        (lambda t, s: LogitsDistillation(0), "temperature to be a positive number. Received: 0"),
        (lambda t, s: FeatureDistillation([None]), "a loss for at least one output"),
        (lambda t, s: LogitsDistillation().compute_loss([TEACHER], STUDENT), "equal structures"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make(network(4, "teacher"), network(4, "student"))


def test_models_of_other_shapes_or_without_a_graph_are_refused():
    wide = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="inputs of teacher and student of the same shape"):
        Distiller(wide, network(4, "student"), LogitsDistillation())
    unbuilt = keras.Sequential([keras.layers.Dense(3, name="teacher_1")])
    with pytest.raises(ValueError, match="Expected a functional or a built sequential model"):
        Distiller(unbuilt, network(4, "student"), FeatureDistillation("mse", "teacher_1"))
