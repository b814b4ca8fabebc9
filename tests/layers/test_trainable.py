"""What ``trainable`` of layers and of weights says of one another, against real Keras."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers

SIZE = 3


def nested(library, is_frozen):
    """A model in a model; some of its layers are made frozen."""
    make = library.layers
    inner = library.Sequential([make.Dense(SIZE), make.BatchNormalization()])
    outer = [make.Dense(SIZE, trainable=not is_frozen), inner, make.LayerNormalization(), make.Dense(SIZE)]
    return library.Sequential(outer)


def parts_of(model):
    """The model, its layers, and the layers in them, in the order in which they were given."""
    layers_in = [part for layer in model.layers for part in (layer, *getattr(layer, "layers", ()))]
    return [model, *layers_in]


def weights_of(model):
    found = (part for part in parts_of(model) if not getattr(part, "layers", ()))
    names = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
    return [getattr(part, name) for part in found for name in names if getattr(part, name, None) is not None]


def flags_of(model):
    weights = weights_of(model)
    trained = [[any(w is other for other in part.trainable_weights) for w in weights] for part in parts_of(model)]
    return [part.trainable for part in parts_of(model)], [w.trainable for w in weights], trained


def changes(seed):
    """What a program sets, one after the other: which layer or weight, and to what; and when it builds the model."""
    random = np.random.default_rng(seed)
    kinds = random.choice(["layer", "weight"], size=12, p=[0.7, 0.3])
    steps = [(str(kind), int(random.integers(100)), bool(random.integers(2))) for kind in kinds]
    return steps, int(random.integers(4))


@pytest.mark.parametrize("seed", range(12))
def test_flags_follow_one_another_as_in_real_keras(real_keras, seed):
    steps, built_at = changes(seed)
    models = [nested(library, is_frozen=seed % 2 == 0) for library in (keras, real_keras)]
    for index, (kind, place, value) in enumerate(steps):
        for model in models:
            if index == built_at:
                model.build((None, SIZE))
            owners = parts_of(model) if kind == "layer" or index < built_at else weights_of(model)
            owners[place % len(owners)].trainable = value
        if index >= built_at:
            assert flags_of(models[0]) == flags_of(models[1]), steps[: index + 1]


def test_weights_that_a_frozen_layer_does_not_make_trainable_stay_frozen(backend):
    layer = layers.BatchNormalization()
    layer.build((None, SIZE))
    layer.trainable = False
    layer.trainable = True
    assert [w.trainable for w in layer.weights] == [True, True, False, False]


@pytest.mark.parametrize("make", [lambda: layers.Dense(4), lambda: layers.Embedding(5, 4)], ids=["Dense", "Embedding"])
def test_a_weight_that_lora_froze_stays_frozen(backend, make):
    layer = make()
    layer.build((None, SIZE))
    layer.enable_lora(2)
    before = [w.name for w in layer.trainable_weights]
    layer.trainable = False
    assert layer.trainable_weights == []
    layer.trainable = True
    assert [w.name for w in layer.trainable_weights] == before


def test_a_program_may_choose_weights_by_their_flag(backend):
    model = keras.Sequential([keras.Input((SIZE,)), layers.Dense(SIZE), layers.Dense(1)])
    model.layers[0].trainable = False
    chosen = [w for w in model.variables if w.trainable]
    x = np.ones((4, SIZE), "float32")
    before = model.get_weights()
    optimizer = keras.optimizers.SGD(0.1)
    gradients = keras.ops.grad(lambda: keras.ops.mean(model(x) ** 2 + model(x)), chosen)()
    optimizer.apply(gradients, chosen)
    is_moved = [bool((a != b).any()) for a, b in zip(before, model.get_weights(), strict=True)]
    assert is_moved == [False, False, True, True]


def composite(trainable):
    class Block(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.scale = keras.Variable(np.ones(SIZE, "float32"))
            self.inner = layers.Dense(SIZE)

        def call(self, x):
            return self.inner(x) * self.scale

    return Block(trainable=trainable)


def in_a_graph(trainable):
    x = keras.Input((SIZE,))
    return keras.Model(x, layers.Dense(SIZE)(x), trainable=trainable)


def in_a_row(trainable):
    return keras.Sequential([layers.Dense(SIZE)], trainable=trainable)


def added_later(trainable):
    model = keras.Sequential(trainable=trainable)
    model.add(layers.Dense(SIZE))
    return model


@pytest.mark.parametrize("make", [composite, in_a_graph, in_a_row, added_later])
def test_what_is_made_frozen_is_frozen_in_another_model(backend, make):
    part = make(trainable=False)
    model = keras.Sequential([keras.Input((SIZE,)), part, layers.Dense(1)])
    assert part.trainable_variables == []
    assert model.trainable_variables == model.layers[-1].variables
    part.trainable = True
    assert len(model.trainable_variables) == len(model.variables)


def recurrent(library):
    make = library.layers
    kinds = [make.SimpleRNN(2, trainable=False), make.GRU(2, trainable=False), make.LSTM(2, trainable=False)]
    return [*kinds, make.Bidirectional(make.GRU(2, trainable=False)), make.RNN(make.GRUCell(2, trainable=False))]


def flags_of_recurrent(layer):
    inner = [getattr(layer, name, None) for name in ("cell", "forward_layer", "backward_layer")]
    return [part.trainable for part in (layer, *inner) if part is not None], [w.trainable for w in layer.weights]


def test_recurrent_layers_that_are_made_frozen_freeze_their_cells_as_in_real_keras(backend, real_keras):
    for layer, theirs in zip(recurrent(keras), recurrent(real_keras), strict=True):
        for value in (None, True, False):
            for part in (layer, theirs):
                if value is not None:
                    part.trainable = value
                elif not part.built:
                    part.build((None, 4, SIZE))
            assert flags_of_recurrent(layer) == flags_of_recurrent(theirs)
            for part in (layer, theirs):
                part.weights[0].trainable = True
            models = [library.Sequential([part]) for library, part in ((keras, layer), (real_keras, theirs))]
            assert len(models[0].trainable_weights) == len(models[1].trainable_weights)


@pytest.mark.parametrize("make", [in_a_graph, in_a_row, added_later])
@pytest.mark.parametrize("copied", ["saved", "cloned"])
@pytest.mark.parametrize("is_released", [False, True])
def test_copies_train_what_their_models_train(backend, tmp_path, make, copied, is_released):
    part = make(trainable=False)
    model = keras.Sequential([keras.Input((SIZE,)), part, layers.Dense(1)])
    part.layers[-1].trainable = is_released
    if copied == "saved":
        model.save(tmp_path / "model.keras")
        copy = keras.models.load_model(tmp_path / "model.keras")
    else:
        copy = keras.models.clone_model(model)
    assert len(copy.trainable_variables) == len(model.trainable_variables) == (4 if is_released else 2)


def fine_tuned(library):
    """A frozen base whose last layer a program has released, as in programs for transfer learning."""
    base = library.Sequential([library.Input((SIZE,)), library.layers.Dense(SIZE), library.layers.Dense(SIZE)])
    base.trainable = False
    base.layers[-1].trainable = True
    return base, library.Sequential([library.Input((SIZE,)), base, library.layers.Dense(1)])


def test_layers_released_in_a_frozen_base_train_as_in_real_keras(backend, real_keras):
    for part, theirs in zip(fine_tuned(keras), fine_tuned(real_keras), strict=True):
        assert len(part.trainable_variables) == len(theirs.trainable_variables)


def test_in_the_era_of_keras_2_a_frozen_model_keeps_its_layers_frozen(backend):
    keras.config.set_era("keras2")
    try:
        base, model = fine_tuned(keras)
        assert (base.trainable_weights, model.trainable_weights) == ([], model.layers[-1].weights)
    finally:
        keras.config.set_era("keras3")
