"""
A custom training step
======================

Adversarial training: each input is perturbed a little in the direction that increases the loss most, by the fast
gradient sign method. Goodfellow et al., "Explaining and Harnessing Adversarial Examples" (2014),
https://arxiv.org/abs/1412.6572.
"""

import matplotlib.pyplot as plt

import polykeras as keras
from polykeras import layers, ops

(x, y), (x_test, y_test) = keras.datasets.digits.load_data()
x, x_test = x.reshape(-1, 64) / 16, x_test.reshape(-1, 64) / 16


class Robust(keras.Sequential):
    """A network that is trained on inputs that were changed against it."""

    strength = 0.0

    def perturbed(self, x, y):
        gradient = ops.grad(lambda inputs: self.compute_loss(x=inputs, y=y, y_pred=self(inputs)))(x)
        return x + self.strength * ops.sign(gradient)

    def train_step(self, data):
        x, y = data
        x = ops.stop_gradient(self.perturbed(x, y))
        weights = self.trainable_variables

        def loss():
            return self.compute_loss(x=x, y=y, y_pred=self(x, training=True))

        value, gradients = ops.value_and_grad(loss, weights)()
        self.optimizer.apply(gradients, weights)
        return {"loss": value}


def accuracies(strength):
    """Train with changes of a strength; return the accuracy under changes from 0 to 0.2."""
    keras.utils.set_random_seed(0)
    model = Robust([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax")])
    model.strength = strength
    model.compile(optimizer=keras.optimizers.Adam(0.005), loss="sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=64, epochs=15, verbose=0)
    result = []
    for model.strength in strengths:
        changed = ops.convert_to_numpy(model.perturbed(ops.convert_to_tensor(x_test), ops.convert_to_tensor(y_test)))
        result.append((model.predict(changed, verbose=0).argmax(axis=1) == y_test).mean())
    return result


strengths = [0.0, 0.05, 0.1, 0.15, 0.2]
plain, robust = accuracies(0.0), accuracies(0.1)
print(f"accuracy with each pixel perturbed by 0.1: {plain[2]:.2f} standard, {robust[2]:.2f} adversarial training")

# %%

plt.plot(strengths, plain, "o-", label="standard training")
plt.plot(strengths, robust, "o-", label="adversarial training")
plt.xlabel("perturbation of each pixel")
plt.ylabel("accuracy")
plt.legend()
