"""PyTorch's own functions in a user's layers, losses, metrics and steps."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import polykeras as keras
from polykeras import backends, layers
from tests.interop.own_functions import OwnFunctions, data, trained


@keras.saving.register_keras_serializable("tests_of_torch")
class Saved(layers.Layer):
    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 3))

    def call(self, x):
        return F.gelu(torch.matmul(x, self.kernel))


class TestTorch(OwnFunctions):
    engine = "torch"
    Saved = Saved
    relu = staticmethod(torch.relu)
    tanh = staticmethod(torch.tanh)
    abs = staticmethod(torch.abs)
    sum = staticmethod(torch.sum)
    matmul = staticmethod(torch.matmul)
    constant = staticmethod(torch.as_tensor)

    @staticmethod
    def square(x):
        return x.pow(2)

    @staticmethod
    def mean_of_rows(x):
        return x.mean(dim=-1)

    @staticmethod
    def flatten(x):
        return x.contiguous().view(x.size(0), -1)

    @staticmethod
    def clip(x):
        return x.clamp(-0.3, 0.3)

    @staticmethod
    def filled(shape, dtype=None):
        return torch.full(tuple(shape), 0.2)

    @staticmethod
    def concatenated(arrays):
        return torch.cat(arrays, dim=-1)

    @staticmethod
    def turned(x):
        return x.permute(0, 2, 1)

    def test_the_values_decide_which_branch_runs(self):
        class Branch(layers.Layer):
            def call(self, x):
                if x.sum() > 0:
                    return torch.relu(x)
                return x * x.abs().max().item()

        model = keras.Sequential([keras.Input((4,)), Branch()])
        for x in (np.ones((2, 4), "float32"), np.full((2, 4), -2, "float32")):
            expected = np.maximum(x, 0) if x.sum() > 0 else x * 2
            np.testing.assert_array_equal(model.predict(x, verbose=0), expected)

    def test_a_constant_that_call_keeps_is_of_the_real_size(self):
        class Causal(layers.Layer):
            mask = None

            def call(self, x):
                if self.mask is None or self.mask.shape[0] != x.shape[1]:
                    self.mask = torch.tril(torch.ones(x.shape[1], x.shape[1]))
                return self.mask @ x

        layer = Causal()
        model = keras.Sequential([keras.Input((None, 4)), layer])
        assert layer.mask is None
        x = data()[0]
        np.testing.assert_allclose(model.predict(x, verbose=0), x.cumsum(1), rtol=1e-4, atol=1e-5)
        assert layer.mask.shape == (6, 6)

    def test_torch_draws_as_if_no_shape_had_been_inferred(self):
        torch.manual_seed(0)
        expected = torch.randn(3)
        torch.manual_seed(0)
        layers.Lambda(lambda x: x + torch.randn_like(x))(keras.Input((None, 4)))
        assert torch.equal(torch.randn(3), expected)

    def test_modules_among_the_attributes_are_trained_saved_and_counted(self, tmp_path):
        class Block(layers.Layer):
            def __init__(self):
                super().__init__()
                self.linear = torch.nn.Linear(4, 3)
                self.norm = torch.nn.BatchNorm1d(6)
                self.drop = torch.nn.Dropout(0.5)

            def call(self, x):
                return self.drop(torch.tanh(self.norm(self.linear(x))))

        def made():
            return keras.Sequential([keras.Input((6, 4)), Block(), layers.Flatten(), layers.Dense(1)])

        model = made()
        before = model.get_weights()
        trained(model)
        assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
        assert model.count_params() == 15 + 4 * 6 + 1 + 19 and len(model.trainable_weights) == 6
        model.save_weights(tmp_path / "model.weights.h5")
        other = made()
        other.load_weights(tmp_path / "model.weights.h5")
        x = data()[0]
        np.testing.assert_allclose(other.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5)

    @pytest.mark.parametrize(
        "made",
        [
            lambda: (torch.nn.Parameter(torch.ones(4)),),
            lambda: (torch.nn.Linear(4, 4),),
        ],
    )
    def test_weights_of_torch_that_cannot_be_replaced_are_refused_with_what_to_do(self, made):
        class Holder(layers.Layer):
            def __init__(self):
                super().__init__()
                self.held = made()

            def call(self, x):
                return x

        with pytest.raises(TypeError, match="'holder.*TorchModuleWrapper"):
            Holder()(np.ones((2, 4), "float32"))


def test_a_model_of_torch_needs_no_with_around_its_use():
    with backends.use("torch"):
        inputs = keras.Input((None, 4))
        model = keras.Model(inputs, layers.Lambda(lambda x: torch.cumsum(x, dim=1))(inputs))
    x = data()[0]
    np.testing.assert_allclose(model.predict(x, verbose=0), x.cumsum(1), rtol=1e-5, atol=1e-6)
    assert model.compute_output_shape((None, 5, 4)) == (None, 5, 4)


def test_torch_on_a_symbolic_tensor_says_where_to_call_it():
    with backends.use("torch"), pytest.raises(TypeError, match="KerasTensor.*layers.Lambda"):
        torch.relu(keras.Input((3,)))
