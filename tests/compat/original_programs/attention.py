"""Attention over an LSTM in Keras 2: a layer with masks, written with K. Finds the marked word in a sentence."""

import random

import numpy as np
from keras import backend as K
from keras import constraints, initializers, regularizers
from keras.engine.topology import Layer
from keras.layers import LSTM, Bidirectional, Dense, Embedding, Input, SpatialDropout1D
from keras.models import Model
from keras.preprocessing.sequence import pad_sequences

random.seed(8)
np.random.seed(8)


class Attention(Layer):
    def __init__(self, W_regularizer=None, W_constraint=None, bias=True, return_attention=False, **kwargs):
        self.supports_masking = True
        self.return_attention = return_attention
        self.init = initializers.get("glorot_uniform")
        self.W_regularizer = regularizers.get(W_regularizer)
        self.W_constraint = constraints.get(W_constraint)
        self.bias = bias
        super(Attention, self).__init__(**kwargs)

    def build(self, input_shape):
        assert len(input_shape) == 3
        self.W = self.add_weight(
            (input_shape[-1], 1),
            initializer=self.init,
            name="{}_W".format(self.name),
            regularizer=self.W_regularizer,
            constraint=self.W_constraint,
        )
        if self.bias:
            self.b = self.add_weight(name="{}_b".format(self.name), shape=(input_shape[1], 1), initializer="zero")
        super(Attention, self).build(input_shape)

    def compute_mask(self, input, input_mask=None):
        return None

    def call(self, x, mask=None):
        eij = K.dot(x, self.W)
        if self.bias:
            eij += self.b
        eij = K.squeeze(K.tanh(eij), axis=-1)
        a = K.exp(eij)
        if mask is not None:
            a *= K.cast(mask, K.floatx())
        a /= K.cast(K.sum(a, axis=1, keepdims=True) + K.epsilon(), K.floatx())
        weighted_input = x * K.expand_dims(a)
        result = K.sum(weighted_input, axis=1)
        return [result, a] if self.return_attention else result

    def compute_output_shape(self, input_shape):
        if self.return_attention:
            return [(input_shape[0], input_shape[-1]), (input_shape[0], input_shape[1])]
        return (input_shape[0], input_shape[-1])


MAXLEN, WORDS = 8, 12
sentences = [np.random.randint(3, WORDS, np.random.randint(3, MAXLEN + 1)) for _ in range(300)]
labels = np.random.randint(0, 2, 300)
for sentence, label in zip(sentences, labels):
    sentence[np.random.randint(len(sentence))] = 1 + label
x_train = pad_sequences(sentences, maxlen=MAXLEN)

inputs = Input(shape=(MAXLEN,), dtype="int32")
x = Embedding(WORDS, 8, mask_zero=True, input_length=MAXLEN)(inputs)
x = SpatialDropout1D(0.05)(x)
x = Bidirectional(LSTM(8, return_sequences=True))(x)
x, weights = Attention(return_attention=True, W_regularizer="l2")(x)
outputs = Dense(1, activation="sigmoid")(x)
model = Model(inputs=inputs, outputs=outputs)
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["acc"])
model.optimizer.lr = 0.02
history = model.fit(x_train, labels, batch_size=50, epochs=10, verbose=0)

attention = K.function([inputs], [weights])([x_train])[0]
assert attention.shape == (300, MAXLEN) and np.allclose(attention.sum(1), 1, atol=1e-3)
assert np.all(attention[x_train == 0] == 0)
print("figure:", *history.history["loss"], history.history["acc"][-1])
