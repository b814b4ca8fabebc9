"""A siamese network of Keras 2: contrastive loss on the distance of two embeddings."""

import random

import numpy as np
from keras import backend as K
from keras.layers import Dense, Dropout, Flatten, Input, Lambda
from keras.models import Model
from keras.optimizers import RMSprop

random.seed(2)
np.random.seed(2)
num_classes = 4


def euclidean_distance(vects):
    x, y = vects
    sum_square = K.sum(K.square(x - y), axis=1, keepdims=True)
    return K.sqrt(K.maximum(sum_square, K.epsilon()))


def eucl_dist_output_shape(shapes):
    shape1, shape2 = shapes
    return (shape1[0], 1)


def contrastive_loss(y_true, y_pred):
    margin = 1
    margin_square = K.square(K.maximum(margin - y_pred, 0))
    return K.mean(y_true * K.square(y_pred) + (1 - y_true) * margin_square)


def accuracy(y_true, y_pred):
    return K.mean(K.equal(y_true, K.cast(y_pred < 0.5, y_true.dtype)))


def create_base_network(input_shape):
    inputs = Input(shape=input_shape)
    x = Flatten()(inputs)
    x = Dense(32, activation="relu")(x)
    x = Dropout(0.1)(x)
    return Model(inputs, Dense(16, activation="relu")(x))


centres = np.random.normal(size=(num_classes, 4, 4))
labels = np.random.randint(0, num_classes, (400, 2))
labels[::2, 1] = labels[::2, 0]
pairs = centres[labels] + 0.3 * np.random.normal(size=(400, 2, 4, 4))
y = (labels[:, 0] == labels[:, 1]).astype("float32")

base_network = create_base_network((4, 4))
input_a, input_b = Input(shape=(4, 4)), Input(shape=(4, 4))
distance = Lambda(euclidean_distance, output_shape=eucl_dist_output_shape)(
    [base_network(input_a), base_network(input_b)]
)
model = Model([input_a, input_b], distance)
model.compile(loss=contrastive_loss, optimizer=RMSprop(), metrics=[accuracy])
history = model.fit(
    [pairs[:300, 0], pairs[:300, 1]],
    y[:300],
    batch_size=32,
    epochs=12,
    verbose=0,
    validation_data=([pairs[300:, 0], pairs[300:, 1]], y[300:]),
)

distances = model.predict([pairs[:, 0], pairs[:, 1]])
agreement = np.mean((distances.ravel() < 0.5) == y)
print("figure:", *history.history["loss"], history.history["val_accuracy"][-1], agreement)
