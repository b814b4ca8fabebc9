"""A GAN of Keras 2: points on a circle. The discriminator is compiled first and frozen inside of the combined model."""

import random

import numpy as np
from keras.layers import BatchNormalization, Dense, Dropout, Input
from keras.layers.advanced_activations import LeakyReLU
from keras.models import Model, Sequential
from keras.optimizers import Adam

random.seed(3)
np.random.seed(3)
LATENT_DIM = 4
BATCH = 64

generator = Sequential()
generator.add(Dense(32, input_dim=LATENT_DIM))
generator.add(LeakyReLU(alpha=0.2))
generator.add(BatchNormalization(momentum=0.8))
generator.add(Dense(2, activation="linear"))

discriminator = Sequential()
discriminator.add(Dense(32, input_shape=(2,)))
discriminator.add(LeakyReLU(alpha=0.2))
discriminator.add(Dropout(0.05))
discriminator.add(Dense(1, activation="sigmoid"))
discriminator.compile(loss="binary_crossentropy", optimizer=Adam(lr=0.01, beta_1=0.5), metrics=["accuracy"])

z = Input(shape=(LATENT_DIM,))
discriminator.trainable = False
combined = Model(z, discriminator(generator(z)))
combined.compile(loss="binary_crossentropy", optimizer=Adam(0.01, 0.5))


def real_points(count):
    angles = np.random.uniform(0, 2 * np.pi, count)
    return 3.0 + np.stack([np.cos(angles), np.sin(angles)], axis=1)


def generated_points(count):
    return generator.predict(np.random.normal(0, 1, (count, LATENT_DIM)))


def distance():
    return abs(np.linalg.norm(generated_points(500) - 3.0, axis=1) - 1.0).mean()


before, before_training = distance(), discriminator.get_weights()[0].copy()
valid, fake = np.ones((BATCH, 1)), np.zeros((BATCH, 1))
for step in range(120):
    d_loss_real = discriminator.train_on_batch(real_points(BATCH), valid)
    d_loss_fake = discriminator.train_on_batch(generated_points(BATCH), fake)
    d_loss = 0.5 * np.add(d_loss_real, d_loss_fake)
    frozen = discriminator.get_weights()[0].copy()
    g_loss = combined.train_on_batch(np.random.normal(0, 1, (BATCH, LATENT_DIM)), valid)
    assert (frozen == discriminator.get_weights()[0]).all()
    if step % 40 == 0:
        print("%d [D loss: %f, acc.: %.2f%%] [G loss: %f]" % (step, d_loss[0], 100 * d_loss[1], g_loss))

assert (before_training != discriminator.get_weights()[0]).any()
print("figure:", before, distance())
