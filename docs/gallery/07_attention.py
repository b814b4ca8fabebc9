"""
Visualizing attention
=====================

Which number follows the marker? Each sequence has one marker, and the target is the number after it. An attention
layer learns where to look. Vaswani et al., "Attention Is All You Need" (2017), https://arxiv.org/abs/1706.03762.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import layers, ops

LENGTH, NUMBERS, MARKER = 10, 8, 8
rng = np.random.default_rng(0)
x = rng.integers(0, NUMBERS, (1000, LENGTH))
positions = rng.integers(0, LENGTH - 1, 1000)
x[np.arange(1000), positions] = MARKER
y = x[np.arange(1000), positions + 1]

tokens = keras.Input((LENGTH,), dtype="int32")
embedded = layers.Embedding(NUMBERS + 1, 24)(tokens)
before = layers.ZeroPadding1D((1, 0))(embedded)[:, :-1]
joined = layers.Dense(24)(layers.Concatenate()([embedded, before]))
attention = layers.MultiHeadAttention(num_heads=1, key_dim=24)
query = layers.GlobalAveragePooling1D(keepdims=True)(joined)
found, scores = attention(query, joined, return_attention_scores=True)
outputs = layers.Dense(NUMBERS, activation="softmax")(layers.Flatten()(found))
model = keras.Model(tokens, outputs)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, batch_size=100, epochs=20, verbose=0)
print(f"accuracy: {history.history['accuracy'][-1]:.3f}")

# %%
# The darker a position, the larger its attention weight. The marker is shown as ``*``.

looked = ops.convert_to_numpy(keras.Model(tokens, scores)(x[:6]))[:, 0, 0]
plt.imshow(looked, cmap="Blues")
for row in range(6):
    for column in range(LENGTH):
        text = "*" if x[row, column] == MARKER else str(x[row, column])
        plt.text(column, row, text, ha="center", va="center")
plt.xticks([])
plt.yticks([])
