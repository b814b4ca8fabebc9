"""
Save, inspect and resume
========================

A model that is saved after 5 epochs and loaded again continues training as if uninterrupted: the file contains the
weights, the optimizer's state and the random state.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import polykeras as keras
from polykeras import layers

(x, y), _ = keras.datasets.digits.load_data()
x = x.reshape(-1, 64) / 16


def build():
    """A network with dropout, which draws random numbers."""
    keras.utils.set_random_seed(0)
    hidden = [layers.Dense(32, activation="relu"), layers.Dropout(0.3)]
    model = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10, activation="softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return model


options = dict(batch_size=64, shuffle=False, verbose=0)
whole = build().fit(x, y, epochs=10, **options).history["loss"]

model = build()
first = model.fit(x, y, epochs=5, **options).history["loss"]
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "digits.keras"
    model.save(path)
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")
    loaded = keras.models.load_model(path)
second = loaded.fit(x, y, initial_epoch=5, epochs=10, **options).history["loss"]
print(f"largest difference of losses: {max(abs(a - b) for a, b in zip(whole, first + second, strict=True)):.1e}")

# %%

plt.plot(range(1, 11), whole, linewidth=6, alpha=0.3, label="in one go")
plt.plot(range(1, 6), first, "o-", label="before saving")
plt.plot(range(6, 11), second, "o-", label="after loading")
plt.xlabel("epoch")
plt.ylabel("loss")
plt.legend()
