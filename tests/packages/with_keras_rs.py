"""A two-tower retrieval model, feature crosses, and a ranking loss with its metric."""

import keras
import keras_rs
import numpy as np

PACKAGE = "keras-rs"
ENGINES = ("tensorflow", "torch", "jax")

keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
users = random.integers(0, 12, 256)
items = (users // 2).astype("int64")  # each liked one thing


class Retrieval(keras.Model):
    def __init__(self):
        super().__init__()
        self.user = keras.layers.Embedding(12, 8)
        self.item = keras.layers.Embedding(6, 8)
        self.find = keras_rs.layers.BruteForceRetrieval(k=2, return_scores=False)
        self.loss_fn = keras.losses.MeanSquaredError()

    def build(self, input_shape):
        self.user.build(())
        self.item.build(())
        self.find.candidate_embeddings = self.item.embeddings
        self.find.build(input_shape)
        super().build(input_shape)

    def call(self, inputs, training=False):
        embedded = self.user(inputs)
        return {"user": embedded, "found": None if training else self.find(embedded)}

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        scores = keras.ops.matmul(y_pred["user"], keras.ops.transpose(self.item(np.arange(6))))
        return self.loss_fn(keras.ops.one_hot(y, 6), scores)


model = Retrieval()
model.compile(optimizer=keras.optimizers.Adam(0.05))
history = model.fit(users, items, epochs=15, batch_size=32, verbose=0).history["loss"]
assert history[-1] < 0.5 * history[0], history
found = model.predict(np.arange(12), verbose=0)["found"][:, 0]
assert (found == np.arange(12) // 2).mean() > 0.8, found

cross = keras_rs.layers.FeatureCross(projection_dim=2)
assert cross(np.ones((2, 4), "float32"), np.ones((2, 4), "float32")).shape == (2, 4)
interaction = keras_rs.layers.DotInteraction()([np.ones((2, 3), "float32"), 2 * np.ones((2, 3), "float32")])
np.testing.assert_allclose(keras.ops.convert_to_numpy(interaction), [[6], [6]])
loss = keras_rs.losses.PairwiseLogisticLoss()(np.array([[1.0, 0.0]]), np.array([[2.0, 0.0]]))
np.testing.assert_allclose(float(loss), np.log1p(np.exp(-2)) / 2, rtol=1e-4)
metric = keras_rs.metrics.MeanReciprocalRank()
metric.update_state(np.array([[0.0, 1.0, 0.0]]), np.array([[0.5, 0.3, 0.1]]))
np.testing.assert_allclose(float(metric.result()), 0.5, rtol=1e-5)
