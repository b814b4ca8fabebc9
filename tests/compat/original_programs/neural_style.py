"""Neural style transfer in Keras 2: content, Gram matrices and total variation, minimized by L-BFGS of SciPy."""

import random

import numpy as np
from keras import backend as K
from keras.layers import AveragePooling2D, Conv2D, Input
from keras.models import Model
from scipy.optimize import fmin_l_bfgs_b

random.seed(6)
np.random.seed(6)
img_nrows = img_ncols = 16
content_weight, style_weight, total_variation_weight = 0.05, 1.0, 1e-3

rows = np.linspace(-1, 1, img_nrows)
base = np.tile(rows[None, :, None, None], (1, 1, img_ncols, 3)) * 50
style = 50 * np.sign(np.random.normal(size=(1, img_nrows, img_ncols, 3)))

base_image = K.variable(base)
style_reference_image = K.variable(style)
if K.image_data_format() == "channels_first":
    combination_image = K.placeholder((1, 3, img_nrows, img_ncols))
else:
    combination_image = K.placeholder((1, img_nrows, img_ncols, 3))
input_tensor = K.concatenate([base_image, style_reference_image, combination_image], axis=0)

inputs = Input(tensor=input_tensor)
x = Conv2D(6, (3, 3), activation="relu", padding="same", name="block1_conv1")(inputs)
x = AveragePooling2D((2, 2), strides=(2, 2))(x)
x = Conv2D(8, (3, 3), activation="relu", padding="same", name="block2_conv1")(x)
model = Model(inputs, x)
outputs_dict = dict([(layer.name, layer.output) for layer in model.layers])


def gram_matrix(x):
    assert K.ndim(x) == 3
    features = K.batch_flatten(K.permute_dimensions(x, (2, 0, 1)))
    return K.dot(features, K.transpose(features))


def style_loss(style, combination):
    channels, size = 3, img_nrows * img_ncols
    return K.sum(K.square(gram_matrix(style) - gram_matrix(combination))) / (4.0 * (channels**2) * (size**2))


def content_loss(base, combination):
    return K.sum(K.square(combination - base))


def total_variation_loss(x):
    assert K.ndim(x) == 4
    a = K.square(x[:, : img_nrows - 1, : img_ncols - 1, :] - x[:, 1:, : img_ncols - 1, :])
    b = K.square(x[:, : img_nrows - 1, : img_ncols - 1, :] - x[:, : img_nrows - 1, 1:, :])
    return K.sum(K.pow(a + b, 1.25))


loss = K.variable(0.0)
layer_features = outputs_dict["block2_conv1"]
loss = loss + content_weight * content_loss(layer_features[0, :, :, :], layer_features[2, :, :, :])
for layer_name in ["block1_conv1", "block2_conv1"]:
    layer_features = outputs_dict[layer_name]
    loss = loss + style_weight * style_loss(layer_features[1, :, :, :], layer_features[2, :, :, :])
loss = loss + total_variation_weight * total_variation_loss(combination_image)

outputs = [loss]
grads = K.gradients(loss, combination_image)
if isinstance(grads, (list, tuple)):
    outputs += grads
else:
    outputs.append(grads)
f_outputs = K.function([combination_image], outputs)


def eval_loss_and_grads(x):
    outs = f_outputs([x.reshape((1, img_nrows, img_ncols, 3))])
    return outs[0], outs[1].flatten().astype("float64")


class Evaluator(object):
    def __init__(self):
        self.loss_value = None
        self.grads_values = None

    def loss(self, x):
        assert self.loss_value is None
        self.loss_value, self.grad_values = eval_loss_and_grads(x)
        return self.loss_value

    def grads(self, x):
        assert self.loss_value is not None
        grad_values = np.copy(self.grad_values)
        self.loss_value = None
        self.grad_values = None
        return grad_values


evaluator = Evaluator()
x = base.copy()
history = [float(eval_loss_and_grads(x)[0])]
for _ in range(3):
    x, min_val, info = fmin_l_bfgs_b(evaluator.loss, x.flatten(), fprime=evaluator.grads, maxfun=10)
    history.append(float(min_val))
print("figure:", *history)
