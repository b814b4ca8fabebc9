"""
Inspecting a model
==================

The table printed by ``summary``, and the predictions on the test set as a confusion matrix.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import layers

(x, y), (x_test, y_test) = keras.datasets.digits.load_data()

inputs = keras.Input((8, 8))
x1 = layers.Rescaling(1 / 16)(inputs)
rows = layers.GRU(16, name="rows")(x1)
columns = layers.GRU(16, name="columns")(layers.Permute((2, 1))(x1))
outputs = layers.Dense(10, activation="softmax")(layers.Concatenate()([rows, columns]))
model = keras.Model(inputs, outputs)
model.summary()
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=64, epochs=5, verbose=0)

# %%

answers = model.predict(x_test, verbose=0).argmax(axis=1)
counts = np.zeros((10, 10), int)
np.add.at(counts, (y_test, answers), 1)
plt.imshow(counts, cmap="Blues")
for row in range(10):
    for column in range(10):
        plt.text(column, row, counts[row, column] or "", ha="center", va="center", fontsize=7)
plt.xlabel("prediction")
plt.ylabel("digit")
print(f"accuracy {(answers == y_test).mean():.3f}")
