"""
A recommender
=============

Users and films are embedded in one space; the dot product of their embeddings predicts the rating. The ratings are
generated from hidden factors, and the network is trained on a third of them.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import layers, regularizers

rng = np.random.default_rng(0)
tastes, films = rng.normal(size=(80, 2)), rng.normal(size=(60, 2))
ratings = (tastes @ films.T + rng.normal(0, 0.1, (80, 60))).astype("float32")
is_seen = rng.random(ratings.shape) < 0.33
users_seen, films_seen = np.nonzero(is_seen)
users_new, films_new = np.nonzero(~is_seen)

user, film = keras.Input((), dtype="int32"), keras.Input((), dtype="int32")
options = dict(embeddings_regularizer=regularizers.L2(1e-5))
scores = layers.Dot(axes=1)([layers.Embedding(80, 3, **options)(user), layers.Embedding(60, 3, **options)(film)])
model = keras.Model([user, film], scores)
model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse")
model.fit([users_seen, films_seen], ratings[is_seen][:, None], batch_size=64, epochs=40, verbose=0)
guessed = model.predict([users_new, films_new], batch_size=512, verbose=0)[:, 0]
truth = ratings[~is_seen]
print(f"correlation of predictions and held-out ratings: {np.corrcoef(guessed, truth)[0, 1]:.3f}")

# %%

plt.scatter(truth, guessed, s=3)
plt.xlabel("held-out rating")
plt.ylabel("prediction")
