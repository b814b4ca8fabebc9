"""
Data augmentation
=================

Layers that transform images at random during training, and pass them through unchanged at inference.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_sample_image

from polykeras import layers, ops

picture = load_sample_image("flower.jpg")[40:360:2, 100:580:2].astype("float32")
chosen = [
    layers.RandomFlip("horizontal", seed=1),
    layers.RandomRotation(0.1, seed=1),
    layers.RandomZoom((-0.4, -0.2), seed=1),
    layers.RandomTranslation(0.2, 0.2, seed=1),
    layers.RandomContrast(0.8, seed=3),
    layers.RandomBrightness(0.4, seed=1),
    layers.RandomHue(0.3, seed=1),
    layers.RandomErasing(1.0, scale=(0.1, 0.2), seed=1),
    layers.RandomGaussianBlur(1.0, 9, 1.0, seed=1),
]
figure, axes = plt.subplots(2, 5, figsize=(10, 3.6))
axes[0, 0].imshow(picture / 255)
axes[0, 0].set_title("original", fontsize=9)
for axis, layer in zip(axes.flat[1:], chosen, strict=True):
    changed = ops.convert_to_numpy(layer(picture[None], training=True))[0]
    axis.imshow(changed.clip(0, 255) / 255)
    axis.set_title(type(layer).__name__, fontsize=9)
for axis in axes.flat:
    axis.axis("off")
