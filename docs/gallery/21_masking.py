"""
Masks: sequences of different lengths
=====================================

Short sequences are padded with zeros. ``Masking`` tells the following layers which time steps to ignore: an average
that includes the padding is wrong, a masked average is not.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import layers

rng = np.random.default_rng(0)
lengths = rng.integers(2, 30, 300)
levels = rng.uniform(1, 3, 300)
sequences = [rng.normal(level, 0.3, (length, 1)) for level, length in zip(levels, lengths, strict=True)]
padded = keras.utils.pad_sequences(sequences, padding="post", dtype="float32")
print(f"{len(sequences)} sequences, padded to {padded.shape}")

plain = keras.Sequential([keras.Input(padded.shape[1:]), layers.GlobalAveragePooling1D()])
masked = keras.Sequential([keras.Input(padded.shape[1:]), layers.Masking(), layers.GlobalAveragePooling1D()])

# %%

figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharex=True, sharey=True)
for axis, model, title in zip(axes, (plain, masked), ("without a mask", "with a mask"), strict=True):
    points = axis.scatter(levels, model.predict(padded, verbose=0), c=lengths, s=10)
    axis.set_title(title)
    axis.set_xlabel("level of the sequence")
axes[0].set_ylabel("average")
figure.colorbar(points, ax=axes, label="length")
