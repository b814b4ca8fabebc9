"""GPT-2 from a tiny configuration: backbone, tokenizer, fine-tuning, generation and a round trip of weights."""

import keras
import keras_hub
import numpy as np

PACKAGE = "keras-hub"
ENGINES = ("tensorflow", "torch", "jax")  # its preprocessor is TensorFlow text

keras.utils.set_random_seed(0)
characters = ["a", "b", "c", "d", "Ġ", "Ġa", "<|endoftext|>"]
tokenizer = keras_hub.models.GPT2Tokenizer(
    vocabulary={name: index for index, name in enumerate(characters)}, merges=["Ġ a"]
)
settings = {"vocabulary_size": 7, "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}
backbone = keras_hub.models.GPT2Backbone(**settings, max_sequence_length=12, dropout=0.0)
preprocessor = keras_hub.models.GPT2CausalLMPreprocessor(tokenizer=tokenizer, sequence_length=12)
model = keras_hub.models.GPT2CausalLM(backbone=backbone, preprocessor=preprocessor)
model.compile(
    optimizer=keras.optimizers.Adam(0.02),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    weighted_metrics=[keras.metrics.SparseCategoricalAccuracy()],
    sampler="greedy",
)
history = model.fit(["abcdabcd"] * 16, batch_size=16, epochs=15, verbose=0).history
assert history["loss"][-1] < 0.5 * history["loss"][0], history["loss"]
assert model.generate("ab", max_length=9).startswith("abcdabcd")
assert [text[:6] for text in model.generate(["ab", "abcd"], max_length=9)] == ["abcdab"] * 2

ids = {"token_ids": np.array([[0, 1, 2, 3]]), "padding_mask": np.ones((1, 4), "int32")}
again = keras_hub.models.GPT2Backbone.from_config(backbone.get_config())
again.set_weights(backbone.get_weights())
outputs = (keras.ops.convert_to_numpy(network(ids)) for network in (backbone, again))
np.testing.assert_allclose(*outputs, atol=1e-5)
