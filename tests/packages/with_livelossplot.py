"""A callback that draws curves while a model trains."""

import tempfile

import keras
import numpy as np
from livelossplot.inputs.keras import PlotLossesCallback
from livelossplot.outputs import ExtremaPrinter, MatplotlibPlot

PACKAGE = "livelossplot"
ENGINES = ("tensorflow", "torch", "jax", "numpy")

x = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")
model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"])
with tempfile.TemporaryDirectory() as folder:
    plot = PlotLossesCallback(outputs=[MatplotlibPlot(figpath=f"{folder}/{{i}}.png"), ExtremaPrinter()])
    history = model.fit(x, x[:, :1], epochs=3, validation_split=0.25, verbose=0, callbacks=[plot]).history
log = plot.liveplot.logger.log_history
assert [round(entry.value, 5) for entry in log["loss"]] == [round(value, 5) for value in history["loss"]]
assert len(log["val_mae"]) == 3
