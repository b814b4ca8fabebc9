"""What programs of Keras 2.3.1 rely on in its era: params of callbacks, constants of cells, sparse values."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backend as K
from polykeras.layers import RNN, Dense, Input, Layer
from polykeras.models import Model, Sequential

X = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
Y = np.eye(3, dtype="float32")[np.arange(20) % 3]


pytestmark = pytest.mark.usefixtures("keras_2")


def classifier():
    model = Sequential([Dense(3, input_dim=4, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=["acc"])
    return model


class Params(keras.callbacks.Callback):
    """Keeps what a callback is told at the begin of training."""

    def on_train_begin(self, logs=None):
        self.seen = {name: value for name, value in self.params.items() if name != "verbose"}


def test_params_tell_callbacks_of_the_data_and_the_logs_to_come(backend):
    callback, batches = Params(), ((X[n : n + 5], Y[n : n + 5]) for n in range(0, 20, 5))
    classifier().fit(X, Y, batch_size=5, epochs=2, validation_split=0.25, callbacks=[callback], verbose=0)
    names = ["loss", "acc", "val_loss", "val_acc"]
    sizes = {"samples": 15, "batch_size": 5, "steps": 3, "epochs": 2}
    assert callback.seen == {"metrics": names, "do_validation": True, **sizes}
    classifier().fit_generator(batches, 4, callbacks=[callback], verbose=0)
    assert callback.seen == {"metrics": names[:2], "do_validation": False, "steps": 4, "epochs": 1}
    keras.config.set_era("keras3")
    classifier().fit(X, Y, callbacks=[callback], verbose=0)
    assert sorted(callback.seen) == ["epochs", "steps"]


class ShiftedCell(Layer):
    """A cell that adds its constant to its state and its input."""

    def __init__(self, units, **kwargs):
        self.units = self.state_size = units
        super().__init__(**kwargs)

    def build(self, input_shape):
        inner, constant = input_shape
        assert (inner[-1], constant[-1]) == (2, 3)
        self.kernel = self.add_weight(shape=(inner[-1], self.units), initializer="ones", name="kernel")
        self.built = True

    def call(self, inputs, states, constants):
        [constant] = constants
        output = K.dot(inputs, self.kernel) + states[0] + constant
        return output, [output]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@pytest.mark.parametrize("is_list", [False, True])
def test_a_cell_gets_its_constants_as_a_list_and_is_built_for_their_shapes(backend, is_list):
    sequences, constant = Input((None, 2)), Input((3,))
    model = Model([sequences, constant], RNN(ShiftedCell(3))(sequences, constants=[constant] if is_list else constant))
    x, c = np.ones((2, 4, 2), "float32"), np.arange(6.0, dtype="float32").reshape(2, 3)
    np.testing.assert_allclose(model.predict([x, c]), 4 * (2 + c), rtol=1e-6)
    again = Model.from_config(model.get_config(), custom_objects={"ShiftedCell": ShiftedCell})
    np.testing.assert_allclose(again.predict([x, c]), 4 * (2 + c), rtol=1e-6)


def test_losses_are_added_for_inputs_and_by_the_older_name(backend):
    class Penalty(Layer):
        def call(self, x):
            self.add_loss(K.mean(x), inputs=x)
            self.add_loss(losses=[K.sum(x)])
            return x

    model = Sequential([Penalty(input_shape=(4,))])
    model.compile("sgd", "mse")
    expected = X.mean() + X.sum()
    np.testing.assert_allclose(model.test_on_batch(X, X), expected, rtol=1e-4)


def test_sparse_values_are_those_of_dense_variables_and_inputs_of_functions(backend):
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.array([[0.0, 2.0], [3.0, 0.0]], "float32")
    variable = K.variable(sparse.csr_matrix(dense))
    np.testing.assert_array_equal(K.eval(K.dot(variable, K.constant(dense))), dense @ dense)
    np.testing.assert_array_equal(keras.Variable(sparse.coo_matrix(dense)).numpy(), dense)
    x = K.placeholder((None, 2), sparse=True)
    np.testing.assert_array_equal(K.function([x], [x * 2])([sparse.csr_matrix(dense)])[0], 2 * dense)


def test_the_warmup_of_nadam_has_the_strength_that_is_asked_for(backend):
    weights = [keras.Variable([1.0, 2.0]) for _ in range(3)]
    optimizers = [
        keras.optimizers.Nadam(),
        keras.optimizers.Nadam(schedule_decay=0.004),
        keras.optimizers.Nadam(schedule_decay=1),
    ]
    for weight, optimizer in zip(weights, optimizers, strict=True):
        for gradient in ([1.0, -2.0], [0.5, 1.0]):
            optimizer.apply([K.constant(gradient)], [weight])
    first, same, other = (K.get_value(weight) for weight in weights)
    np.testing.assert_array_equal(first, same)
    assert (first != other).all() and optimizers[1].get_config()["schedule_decay"] == 0.004


def test_joined_sequences_are_masked_where_any_of_them_is(backend):
    ids = np.array([[1, 2, 0, 0]], "int32")
    masked, plain = (keras.layers.Embedding(5, 3, mask_zero=mask_zero)(ids) for mask_zero in (True, False))
    mask = keras.layers.Concatenate().compute_mask([masked, plain], [ids != 0, None])
    np.testing.assert_array_equal(K.eval(mask), [[True, True, False, False]])
