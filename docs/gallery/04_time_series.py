"""
A time series with an LSTM
==========================

A noisy sum of two waves: the network reads 30 values and forecasts the next one, then continues from its own
forecasts.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import layers

time = np.arange(600)
series = np.sin(time / 8) + 0.5 * np.sin(time / 3) + np.random.default_rng(0).normal(0, 0.05, 600)
series = series.astype("float32")[:, None]
data = keras.utils.timeseries_dataset_from_array(series[:-30], series[30:], sequence_length=30, batch_size=64)

model = keras.Sequential([keras.Input((30, 1)), layers.LSTM(16), layers.Dense(1)])
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
history = model.fit(data, epochs=15, verbose=0)
print(f"mean squared error: {history.history['loss'][-1]:.4f}")

# %%

window = series[400:430]
forecast = []
for _ in range(100):
    forecast.append(float(model(window[None])[0, 0]))
    window = np.append(window[1:], [[forecast[-1]]], axis=0).astype("float32")
plt.plot(time[370:530], series[370:530], label="series")
plt.plot(time[430:530], forecast, label="forecast")
plt.legend()
