"""A capsule network of Keras 2: routing by agreement with K.batch_dot, custom layers and the margin loss."""

import random

import numpy as np
from keras import backend as K
from keras import initializers, layers, models, optimizers
from keras.engine.topology import Layer
from keras.utils import to_categorical

random.seed(7)
np.random.seed(7)
n_class, routings = 3, 3


class Length(layers.Layer):
    def call(self, inputs, **kwargs):
        return K.sqrt(K.sum(K.square(inputs), -1) + K.epsilon())

    def compute_output_shape(self, input_shape):
        return input_shape[:-1]


class Mask(layers.Layer):
    def call(self, inputs, **kwargs):
        if type(inputs) is list:
            assert len(inputs) == 2
            inputs, mask = inputs
        else:
            x = K.sqrt(K.sum(K.square(inputs), -1))
            mask = K.one_hot(indices=K.argmax(x, 1), num_classes=K.int_shape(x)[1])
        return K.batch_flatten(inputs * K.expand_dims(mask, -1))

    def compute_output_shape(self, input_shape):
        if type(input_shape[0]) is tuple:
            return tuple([None, input_shape[0][1] * input_shape[0][2]])
        return tuple([None, input_shape[1] * input_shape[2]])


def squash(vectors, axis=-1):
    s_squared_norm = K.sum(K.square(vectors), axis, keepdims=True)
    scale = s_squared_norm / (1 + s_squared_norm) / K.sqrt(s_squared_norm + K.epsilon())
    return scale * vectors


class CapsuleLayer(Layer):
    def __init__(self, num_capsule, dim_capsule, routings=3, kernel_initializer="glorot_uniform", **kwargs):
        super(CapsuleLayer, self).__init__(**kwargs)
        self.num_capsule = num_capsule
        self.dim_capsule = dim_capsule
        self.routings = routings
        self.kernel_initializer = initializers.get(kernel_initializer)

    def build(self, input_shape):
        assert len(input_shape) >= 3
        self.input_num_capsule = input_shape[1]
        self.W = self.add_weight(
            name="W",
            shape=(1, input_shape[2], self.num_capsule * self.dim_capsule),
            initializer=self.kernel_initializer,
            trainable=True,
        )
        self.built = True

    def call(self, inputs, training=None):
        batch_size = K.shape(inputs)[0]
        hat = K.conv1d(inputs, self.W)
        hat = K.reshape(hat, (batch_size, self.input_num_capsule, self.num_capsule, self.dim_capsule))
        hat = K.permute_dimensions(hat, (0, 2, 1, 3))
        hat = K.reshape(hat, (-1, self.input_num_capsule, self.dim_capsule))
        b = K.zeros_like(hat[:, :, 0])
        for i in range(self.routings):
            c = K.softmax(K.reshape(b, (-1, self.num_capsule, self.input_num_capsule)), axis=1)
            outputs = squash(K.batch_dot(K.reshape(c, (-1, self.input_num_capsule)), hat, [1, 1]))
            if i < self.routings - 1:
                b = b + K.batch_dot(outputs, hat, [1, 2])
        return K.reshape(outputs, (-1, self.num_capsule, self.dim_capsule))

    def compute_output_shape(self, input_shape):
        return tuple([None, self.num_capsule, self.dim_capsule])

    def get_config(self):
        config = {"num_capsule": self.num_capsule, "dim_capsule": self.dim_capsule, "routings": self.routings}
        base_config = super(CapsuleLayer, self).get_config()
        return dict(list(base_config.items()) + list(config.items()))


def margin_loss(y_true, y_pred):
    positive = y_true * K.square(K.maximum(0.0, 0.9 - y_pred))
    negative = 0.5 * (1 - y_true) * K.square(K.maximum(0.0, y_pred - 0.1))
    return K.mean(K.sum(positive + negative, 1))


centres = np.random.uniform(size=(n_class, 8, 8, 1))
y = np.random.randint(0, n_class, 150)
x_train = centres[y] + 0.1 * np.random.normal(size=(150, 8, 8, 1))
y_train = to_categorical(y)

x = layers.Input(shape=(8, 8, 1))
conv1 = layers.Conv2D(filters=8, kernel_size=3, strides=1, padding="valid", activation="relu", name="conv1")(x)
primary = layers.Conv2D(filters=8, kernel_size=3, strides=2, padding="valid", name="primarycap_conv2d")(conv1)
primary = layers.Reshape(target_shape=[-1, 4], name="primarycap_reshape")(primary)
primary = layers.Lambda(squash, name="primarycap_squash")(primary)
digitcaps = CapsuleLayer(num_capsule=n_class, dim_capsule=6, routings=routings, name="digitcaps")(primary)
out_caps = Length(name="capsnet")(digitcaps)

y_in = layers.Input(shape=(n_class,))
masked_by_y = Mask()([digitcaps, y_in])
masked = Mask()(digitcaps)
decoder = models.Sequential(name="decoder")
decoder.add(layers.Dense(16, activation="relu", input_dim=6 * n_class))
decoder.add(layers.Dense(64, activation="sigmoid"))
decoder.add(layers.Reshape(target_shape=(8, 8, 1), name="out_recon"))

model = models.Model([x, y_in], [out_caps, decoder(masked_by_y)])
eval_model = models.Model(x, [out_caps, decoder(masked)])
model.compile(
    optimizer=optimizers.Adam(lr=0.01),
    loss=[margin_loss, "mse"],
    loss_weights=[1.0, 0.4],
    metrics={"capsnet": "accuracy"},
)
history = model.fit([x_train, y_train], [y_train, x_train], batch_size=30, epochs=6, verbose=0)
y_pred, x_recon = eval_model.predict(x_train, batch_size=50)
accuracy = np.mean(np.argmax(y_pred, 1) == y)
rebuilt = CapsuleLayer.from_config(model.get_layer("digitcaps").get_config())
assert rebuilt.num_capsule == n_class and x_recon.shape == x_train.shape
print("figure:", *history.history["capsnet_loss"], history.history["capsnet_acc"][-1], accuracy)
