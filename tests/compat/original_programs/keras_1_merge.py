"""Branches, merged in the ways of Keras 1."""

import random

import numpy as np
from keras import backend as K
from keras.layers import LSTM, Activation, Dense, Embedding, Input, Merge, merge
from keras.models import Model, Sequential
from keras.objectives import categorical_crossentropy
from keras.optimizers import rmsprop

random.seed(13)
np.random.seed(13)
X = np.random.normal(size=(200, 6))
words = np.random.randint(0, 10, (200, 5))
target = ((X[:, 0] > 0) ^ (words[:, 0] > 4)).astype("float32")

left = Sequential()
left.add(Dense(8, input_dim=6, activation="relu"))
right = Sequential()
right.add(Embedding(10, 8, input_length=5, dropout=0.05))
right.add(LSTM(8, dropout_W=0.0, dropout_U=0.0, inner_activation="hard_sigmoid", init="glorot_uniform"))
model = Sequential()
model.add(Merge([left, right], mode="concat", concat_axis=1))
model.add(Dense(16, activation="tanh"))
model.add(Dense(1, activation="sigmoid"))
model.compile(rmsprop(lr=0.03), "binary_crossentropy", metrics=["accuracy"])
history = model.fit([X, words], target, nb_epoch=20, batch_size=20, verbose=0)

a, b = Input(shape=(6,)), Input(shape=(6,))
shared = Dense(8, activation="relu")
u, v = shared(a), shared(b)
merged = [
    merge([u, v], mode="sum"),
    merge([u, v], mode="mul"),
    merge([u, v], mode="ave"),
    merge([u, v], mode="max"),
    merge([u, v], mode="concat", concat_axis=-1),
    merge([u, v], mode="dot", dot_axes=1),
    merge([u, v], mode="cos", dot_axes=1),
    merge([u, v], mode=lambda x: x[0] - x[1], output_shape=lambda shapes: shapes[0]),
]
joint = Model(input=[a, b], output=merged)
first, second = X[:5], X[5:10]
outputs = joint.predict([first, second])
p, q = (Model(input=a, output=u).predict(x) for x in (first, second))
lengths = np.sqrt((p**2).sum(1, keepdims=True) * (q**2).sum(1, keepdims=True))
expected = [
    p + q,
    p * q,
    (p + q) / 2,
    np.maximum(p, q),
    np.concatenate([p, q], 1),
    (p * q).sum(1, keepdims=True),
    (p * q).sum(1, keepdims=True) / np.maximum(lengths, 1e-7),
    p - q,
]
for output, value in zip(outputs, expected):
    assert np.allclose(output.reshape(value.shape), value, atol=1e-4), (output, value)


def similarity(tensors):
    return K.sum(tensors[0] * tensors[1], axis=-1, keepdims=True)


users, items = Sequential(), Sequential()
users.add(Dense(4, input_dim=6))
items.add(Dense(4, input_dim=6))
rated = Merge([users, items], mode=similarity, output_shape=(1,))
assert rated.predict([first, second]).shape == (5, 1)
ratings = Sequential()
ratings.add(Merge([users, items], mode="mul"))
ratings.add(Dense(2))
ratings.add(Activation("softmax"))
ratings.compile("sgd", categorical_crossentropy)
ratings.fit([X, X], np.eye(2)[(X[:, 0] > 0).astype(int)], nb_epoch=1, verbose=0)
print("figure:", *history.history["loss"], history.history["acc"][-1])
