"""Text, letter by letter, by an LSTM of Keras 2."""

import random

import numpy as np
from keras.callbacks import LambdaCallback
from keras.layers import LSTM, Dense
from keras.models import Sequential
from keras.optimizers import RMSprop

random.seed(14)
np.random.seed(14)
text = "the cat sat on the mat and the dog sat on the log. " * 6
chars = sorted(list(set(text)))
char_indices = dict((c, i) for i, c in enumerate(chars))
indices_char = dict((i, c) for i, c in enumerate(chars))

maxlen, step = 8, 1
sentences, next_chars = [], []
for i in range(0, len(text) - maxlen, step):
    sentences.append(text[i : i + maxlen])
    next_chars.append(text[i + maxlen])
x = np.zeros((len(sentences), maxlen, len(chars)), dtype=bool)
y = np.zeros((len(sentences), len(chars)), dtype=bool)
for i, sentence in enumerate(sentences):
    for t, char in enumerate(sentence):
        x[i, t, char_indices[char]] = 1
    y[i, char_indices[next_chars[i]]] = 1

model = Sequential()
model.add(LSTM(48, input_shape=(maxlen, len(chars))))
model.add(Dense(len(chars), activation="softmax"))
model.compile(loss="categorical_crossentropy", optimizer=RMSprop(lr=0.015))


def sample(preds, temperature=1.0):
    preds = np.asarray(preds).astype("float64")
    preds = np.log(preds + 1e-12) / temperature
    exp_preds = np.exp(preds)
    preds = exp_preds / np.sum(exp_preds)
    return np.argmax(np.random.multinomial(1, preds, 1))


def generate(length, temperature):
    sentence = generated = text[:maxlen]
    for i in range(length):
        x_pred = np.zeros((1, maxlen, len(chars)))
        for t, char in enumerate(sentence):
            x_pred[0, t, char_indices[char]] = 1.0
        preds = model.predict(x_pred, verbose=0)[0]
        next_char = indices_char[sample(preds, temperature)]
        sentence = sentence[1:] + next_char
        generated += next_char
    return generated


def on_epoch_end(epoch, _):
    if epoch % 10 == 9:
        print("----- Generating text after Epoch: %d" % epoch)
        print(generate(20, 0.5))


print_callback = LambdaCallback(on_epoch_end=on_epoch_end)
history = model.fit(x, y, batch_size=32, epochs=20, callbacks=[print_callback], verbose=0)
generated = generate(40, 0.1)
right = np.mean([a == b for a, b in zip(generated, text)])
classes = model.predict_classes(x)
print("figure:", *history.history["loss"][:6], right, np.mean(classes == y.argmax(1)))
