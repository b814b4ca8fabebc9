"""Tiny backbones of text and pictures, a classifier on each, saved and loaded."""

import tempfile

import keras
import keras_hub
import numpy as np

PACKAGE = "keras-hub"
ENGINES = ("tensorflow", "torch", "jax", "numpy")

keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
text = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16, "max_sequence_length": 6}
ids = {"token_ids": random.integers(0, 9, (4, 6)), "padding_mask": np.ones((4, 6), "int32")}
with_segments = {**ids, "segment_ids": np.zeros((4, 6), "int32")}
decoder = {"num_query_heads": 2, "num_key_value_heads": 1, "num_layers": 1, "hidden_dim": 8, "intermediate_dim": 16}
pictures = random.uniform(size=(2, 32, 32, 3)).astype("float32")
models = keras_hub.models
cases = [
    (models.BertBackbone(vocabulary_size=9, **text), with_segments),
    (models.RobertaBackbone(vocabulary_size=9, **text), ids),
    (models.DistilBertBackbone(vocabulary_size=9, **text), ids),
    (models.LlamaBackbone(vocabulary_size=9, **decoder), ids),
    (models.MistralBackbone(vocabulary_size=9, **decoder, sliding_window=4), ids),
    (models.GemmaBackbone(vocabulary_size=9, head_dim=4, **decoder), ids),
    (
        models.ResNetBackbone(
            input_conv_filters=[64],
            input_conv_kernel_sizes=[3],
            stackwise_num_filters=[64, 64],
            stackwise_num_blocks=[1, 1],
            stackwise_num_strides=[1, 2],
            block_type="basic_block",
            image_shape=(32, 32, 3),
        ),
        pictures,
    ),
    (
        models.ViTBackbone(
            image_shape=(32, 32, 3), patch_size=8, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=16
        ),
        pictures,
    ),
]  # fmt: skip


def values(outputs):
    return [keras.ops.convert_to_numpy(part) for part in keras.tree.flatten(outputs)]


for backbone, batch in cases:
    outputs = values(backbone(batch))
    assert all(np.isfinite(part).all() and len(part) == len(pictures if backbone is cases[-1][0] or batch is pictures
                                                           else ids["token_ids"]) for part in outputs)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        backbone.save(f"{folder}/model.keras")
        again = keras.saving.load_model(f"{folder}/model.keras")
    for before, after in zip(outputs, values(again(batch)), strict=True):
        np.testing.assert_allclose(before, after, atol=1e-5)

backbone = cases[0][0]
classifier = models.BertTextClassifier(backbone=backbone, num_classes=2, dropout=0.0, preprocessor=None)
classifier.compile(keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
history = classifier.fit(with_segments, np.array([0, 1, 0, 1]), epochs=15, verbose=0).history["loss"]
assert history[-1] < 0.5 * history[0], history

images = models.ImageClassifier(backbone=cases[-2][0], num_classes=2)
assert values(images(pictures))[0].shape == (2, 2)
