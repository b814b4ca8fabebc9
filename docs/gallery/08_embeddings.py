"""
Word embeddings
===============

Embeddings learned from a toy text: words that occur in similar contexts end up close to one another.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import layers

rng = np.random.default_rng(0)
animals, foods, verbs = (
    ["cat", "dog", "bird", "horse"],
    ["bread", "apple", "cheese", "rice"],
    ["eats", "wants", "finds"],
)
sentences = [" ".join(["the", rng.choice(animals), rng.choice(verbs), rng.choice(foods)]) for _ in range(500)]

vectorization = layers.TextVectorization(output_sequence_length=4)
vectorization.adapt(sentences)
words = vectorization.get_vocabulary()
tokens = keras.ops.convert_to_numpy(vectorization(sentences))
centers = np.concatenate([tokens[:, :-1].ravel(), tokens[:, 1:].ravel()])
neighbours = np.concatenate([tokens[:, 1:].ravel(), tokens[:, :-1].ravel()])

embedding = layers.Embedding(len(words), 2)
model = keras.Sequential([keras.Input((), dtype="int32"), embedding, layers.Dense(len(words), activation="softmax")])
model.compile(optimizer=keras.optimizers.Adam(0.02), loss="sparse_categorical_crossentropy")
history = model.fit(centers, neighbours, batch_size=64, epochs=20, verbose=0)
print(f"{len(words)} words, loss {history.history['loss'][-1]:.2f}")

# %%

vectors = embedding.get_weights()[0]
for word, (x, y) in list(zip(words, vectors, strict=True))[2:]:
    color = "C0" if word in animals else "C1" if word in foods else "C2"
    plt.scatter(x, y, color=color)
    plt.annotate(word, (x, y), textcoords="offset points", xytext=(4, 3))
