"""Deep dream in Keras 2: gradients of activations by the image, in several scales."""

import random

import numpy as np
import scipy.ndimage
from keras import backend as K
from keras.layers import Conv2D, Dense, GlobalAveragePooling2D, MaxPooling2D
from keras.models import Sequential

random.seed(4)
np.random.seed(4)
K.set_learning_phase(0)

model = Sequential()
model.add(Conv2D(8, (3, 3), activation="relu", padding="same", input_shape=(None, None, 3), name="mixed1"))
model.add(MaxPooling2D((2, 2)))
model.add(Conv2D(12, (3, 3), activation="relu", name="mixed2"))
model.add(GlobalAveragePooling2D())
model.add(Dense(5, activation="softmax"))

dream = model.input
settings = {"features": {"mixed1": 0.2, "mixed2": 0.5}}
layer_dict = dict([(layer.name, layer) for layer in model.layers])

loss = K.variable(0.0)
for layer_name in settings["features"]:
    coeff = settings["features"][layer_name]
    x = layer_dict[layer_name].output
    scaling = K.prod(K.cast(K.shape(x), "float32"))
    if K.image_data_format() == "channels_first":
        loss = loss + coeff * K.sum(K.square(x[:, :, 2:-2, 2:-2])) / scaling
    else:
        loss = loss + coeff * K.sum(K.square(x[:, 2:-2, 2:-2, :])) / scaling

grads = K.gradients(loss, dream)[0]
grads /= K.maximum(K.mean(K.abs(grads)), K.epsilon())
fetch_loss_and_grads = K.function([dream], [loss, grads])


def eval_loss_and_grads(x):
    outs = fetch_loss_and_grads([x])
    return outs[0], outs[1]


def gradient_ascent(x, iterations, step, max_loss=None):
    losses = []
    for i in range(iterations):
        loss_value, grad_values = eval_loss_and_grads(x)
        if max_loss is not None and loss_value > max_loss:
            break
        losses.append(float(loss_value))
        x += step * grad_values
    return x, losses


img = np.random.uniform(-0.2, 0.2, (1, 24, 24, 3)).astype("float32")
history = []
for size in (12, 18, 24):
    zoom = (1, size / img.shape[1], size / img.shape[2], 1)
    img = scipy.ndimage.zoom(img, zoom, order=1)
    img, losses = gradient_ascent(img, iterations=8, step=0.02, max_loss=10.0)
    history += losses[:1] + losses[-1:]
print("figure:", *history)
