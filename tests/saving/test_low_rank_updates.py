"""Files of layers with LoRA: Keras reads the sum, and training goes on from the parts of it."""

import numpy as np
import pytest

import polykeras as keras

RNG = np.random.default_rng(3)
IMAGES = RNG.normal(size=(24, 6, 6, 2)).astype("float32")
ROWS = RNG.normal(size=(24, 4)).astype("float32")
WORDS = RNG.integers(0, 7, (24, 5))
TARGETS = RNG.normal(size=(24, 2)).astype("float32")
layers = keras.layers

KINDS = {
    "Dense": (ROWS, lambda: [keras.Input((4,)), layers.Dense(6, lora_rank=2, lora_alpha=3.0), layers.Dense(2)]),
    "EinsumDense": (
        ROWS,
        lambda: [keras.Input((4,)), layers.EinsumDense("ab,bc->ac", 6, lora_rank=2), layers.Dense(2)],
    ),
    "Embedding": (
        WORDS,
        lambda: [keras.Input((5,)), layers.Embedding(7, 4, lora_rank=2), layers.Flatten(), layers.Dense(2)],
    ),
    "Conv2D": (
        IMAGES,
        lambda: [keras.Input((6, 6, 2)), layers.Conv2D(3, 3, lora_rank=2), layers.Flatten(), layers.Dense(2)],
    ),
}


def trained(kind, epochs):
    keras.utils.set_random_seed(5)
    x, make = KINDS[kind]
    model = keras.Sequential(make())
    model.compile(keras.optimizers.Adam(0.05), "mse")
    return model, fit(model, x, epochs)


def fit(model, x, epochs):
    return model.fit(x, TARGETS, batch_size=8, epochs=epochs, shuffle=False, verbose=0).history["loss"]


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_goes_on_from_a_file_as_if_it_had_never_stopped(backend, kind, suffix, tmp_path):
    _, whole = trained(kind, 6)
    model, first = trained(kind, 3)
    path = tmp_path / f"model{suffix}"
    if suffix == ".keras":
        model.save(path)
        again = keras.models.load_model(path)
    else:
        model.save_weights(path)
        again, _ = trained(kind, 1)
        again.load_weights(path)
    x = KINDS[kind][0]
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(first + fit(again, x, 3), whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_real_keras_reads_the_sum(real_keras, kind, tmp_path):
    model, _ = trained(kind, 2)
    path = tmp_path / "model.keras"
    model.save(path)
    x = KINDS[kind][0]
    loaded = real_keras.models.load_model(path)
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4, atol=1e-5)


def test_parts_that_do_not_add_up_to_an_edited_sum_are_left_alone(tmp_path):
    model, _ = trained("Dense", 2)
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "r") as file:
        content = {}
        file.visititems(lambda name, item: content.update({name: item[()]}) if hasattr(item, "shape") else None)
    new = np.ones((4, 6), "float32")
    with h5py.File(tmp_path / "edited.weights.h5", "w") as file:
        for name, value in content.items():
            file[name] = new if name == "layers/dense/vars/0" else value
    model.load_weights(tmp_path / "edited.weights.h5")
    np.testing.assert_allclose(np.asarray(model.layers[0].kernel), new, rtol=1e-6)


def test_a_file_of_another_rank_gives_the_sum(tmp_path):
    model, _ = trained("Dense", 2)
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    other = keras.Sequential([keras.Input((4,)), layers.Dense(6, lora_rank=1), layers.Dense(2)])
    other.load_weights(path)
    np.testing.assert_allclose(other.predict(ROWS, verbose=0), model.predict(ROWS, verbose=0), rtol=1e-4, atol=1e-5)
