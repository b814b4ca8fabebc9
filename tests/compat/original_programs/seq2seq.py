"""Sequence to sequence in Keras 2: teacher forcing, then encoder and decoder as models of their own. Reverses digits."""

import random

import numpy as np
from keras.layers import LSTM, Dense, Input
from keras.models import Model

random.seed(5)
np.random.seed(5)
tokens, length, latent_dim, count = 6, 3, 48, 600
START, STOP = tokens, tokens + 1

digits = np.random.randint(0, tokens, (count, length))
encoder_input_data = np.eye(tokens)[digits]
target = np.concatenate([np.full((count, 1), START), digits[:, ::-1], np.full((count, 1), STOP)], axis=1)
decoder_input_data = np.eye(tokens + 2)[target[:, :-1]]
decoder_target_data = np.eye(tokens + 2)[target[:, 1:]]

encoder_inputs = Input(shape=(None, tokens))
encoder = LSTM(latent_dim, return_state=True)
encoder_outputs, state_h, state_c = encoder(encoder_inputs)
encoder_states = [state_h, state_c]

decoder_inputs = Input(shape=(None, tokens + 2))
decoder_lstm = LSTM(latent_dim, return_sequences=True, return_state=True)
decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=encoder_states)
decoder_dense = Dense(tokens + 2, activation="softmax")
decoder_outputs = decoder_dense(decoder_outputs)

model = Model([encoder_inputs, decoder_inputs], decoder_outputs)
model.compile(optimizer="adam", loss="categorical_crossentropy")
model.optimizer.lr = 0.02
history = model.fit(
    [encoder_input_data, decoder_input_data],
    decoder_target_data,
    batch_size=50,
    epochs=20,
    validation_split=0.1,
    verbose=0,
)

encoder_model = Model(encoder_inputs, encoder_states)
decoder_state_input_h = Input(shape=(latent_dim,))
decoder_state_input_c = Input(shape=(latent_dim,))
decoder_states_inputs = [decoder_state_input_h, decoder_state_input_c]
decoder_outputs, state_h, state_c = decoder_lstm(decoder_inputs, initial_state=decoder_states_inputs)
decoder_states = [state_h, state_c]
decoder_outputs = decoder_dense(decoder_outputs)
decoder_model = Model([decoder_inputs] + decoder_states_inputs, [decoder_outputs] + decoder_states)


def decode_sequence(input_seq):
    states_value = encoder_model.predict(input_seq)
    target_seq = np.zeros((1, 1, tokens + 2))
    target_seq[0, 0, START] = 1.0
    decoded = []
    while len(decoded) <= length:
        output_tokens, h, c = decoder_model.predict([target_seq] + states_value)
        sampled = int(np.argmax(output_tokens[0, -1, :]))
        if sampled == STOP:
            break
        decoded.append(sampled)
        target_seq = np.zeros((1, 1, tokens + 2))
        target_seq[0, 0, sampled] = 1.0
        states_value = [h, c]
    return decoded


right = [decode_sequence(encoder_input_data[i : i + 1]) == list(digits[i, ::-1]) for i in range(8)]
print("figure:", *history.history["loss"][:5], history.history["val_loss"][-1], np.mean(right))
