"""Layers, samplers and metrics: a small transformer classifier, a greedy and a beam search, and BLEU."""

import keras
import keras_hub
import numpy as np

PACKAGE = "keras-hub"
ENGINES = ("tensorflow", "torch", "jax", "numpy")

keras.utils.set_random_seed(0)
tokens = np.random.default_rng(0).integers(1, 20, (96, 8))
labels = (tokens[:, 0] > 10).astype("int32")

inputs = keras.Input((8,), dtype="int32")
x = keras_hub.layers.TokenAndPositionEmbedding(vocabulary_size=20, sequence_length=8, embedding_dim=16)(inputs)
x = keras_hub.layers.TransformerEncoder(intermediate_dim=32, num_heads=2)(x)
model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x[:, 0, :]))
model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(tokens, labels, epochs=8, batch_size=16, verbose=0).history
assert history["loss"][-1] < 0.5 * history["loss"][0] and history["accuracy"][-1] > 0.9, history

decoder = keras_hub.layers.TransformerDecoder(intermediate_dim=16, num_heads=2)
states = np.random.default_rng(1).normal(size=(1, 5, 8)).astype("float32")
changed = states.copy()
changed[:, -1] += 1
first, second = (keras.ops.convert_to_numpy(decoder(value)) for value in (states, changed))
np.testing.assert_allclose(first[:, :-1], second[:, :-1], atol=1e-5)  # it looks back only
assert np.abs(first[:, -1] - second[:, -1]).max() > 0.01


def count_up(prompt, cache, index):
    """Logits of a model for which the next token is the last one plus one."""
    last = prompt[:, index - 1]
    return 10 * keras.ops.one_hot(last + 1, 20), keras.ops.one_hot(last, 4), cache


prompt = np.array([[3, 0, 0, 0, 0]], "int32")
for sampler in (keras_hub.samplers.GreedySampler(), keras_hub.samplers.BeamSampler(num_beams=2)):
    output = sampler(next=count_up, prompt=prompt, cache=keras.ops.zeros((1, 1)), index=1)
    assert keras.ops.convert_to_numpy(output).tolist() == [[3, 4, 5, 6, 7]], output

perplexity = keras_hub.metrics.Perplexity(from_logits=False)
perplexity.update_state(np.array([[1, 2]]), np.full((1, 2, 4), 0.25, "float32"))
np.testing.assert_allclose(float(perplexity.result()), 4, rtol=1e-5)
