"""A variational autoencoder of Keras 2, whose loss closes over tensors of the graph."""

import random

import numpy as np
from keras import backend as K
from keras import metrics
from keras.layers import Dense, Input, Lambda
from keras.models import Model

random.seed(1)
np.random.seed(1)
original_dim, intermediate_dim, latent_dim, batch_size = 16, 24, 2, 50

factors = np.random.normal(size=(500, latent_dim))
x_train = 1 / (1 + np.exp(-factors.dot(np.random.normal(size=(latent_dim, original_dim)) * 2)))

x = Input(batch_shape=(batch_size, original_dim))
h = Dense(intermediate_dim, activation="relu")(x)
z_mean = Dense(latent_dim)(h)
z_log_var = Dense(latent_dim)(h)


def sampling(args):
    z_mean, z_log_var = args
    epsilon = K.random_normal(shape=(batch_size, latent_dim), mean=0.0, stddev=1.0)
    return z_mean + K.exp(z_log_var / 2) * epsilon


z = Lambda(sampling, output_shape=(latent_dim,))([z_mean, z_log_var])
decoder_h = Dense(intermediate_dim, activation="relu")
decoder_mean = Dense(original_dim, activation="sigmoid")
x_decoded_mean = decoder_mean(decoder_h(z))


def vae_loss(x, x_decoded_mean):
    xent_loss = original_dim * metrics.binary_crossentropy(x, x_decoded_mean)
    kl_loss = -0.5 * K.sum(1 + z_log_var - K.square(z_mean) - K.exp(z_log_var), axis=-1)
    return K.mean(xent_loss + kl_loss)


vae = Model(x, x_decoded_mean)
vae.compile(optimizer="rmsprop", loss=vae_loss)
history = vae.fit(x_train, x_train, shuffle=True, epochs=15, batch_size=batch_size, verbose=0)

encoder = Model(x, z_mean)
codes = encoder.predict(x_train, batch_size=batch_size)
decoder_input = Input(shape=(latent_dim,))
picture = Model(decoder_input, decoder_mean(decoder_h(decoder_input))).predict(np.zeros((1, latent_dim)))
assert codes.shape == (500, latent_dim) and picture.shape == (1, original_dim)
print("figure:", *history.history["loss"])
