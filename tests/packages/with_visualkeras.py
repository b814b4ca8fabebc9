"""Drawings of a network, by layers and as a graph."""

import keras
import visualkeras

PACKAGE = "visualkeras"
ENGINES = ("tensorflow", "torch", "jax", "numpy")

model = keras.Sequential(
    [
        keras.layers.Input((16, 16, 3)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(4),
    ]
)
layered = visualkeras.layered_view(model, legend=True)
assert layered.width > 20 and len(layered.getcolors(1 << 20)) > 5
inputs = [keras.layers.Input((4,)), keras.layers.Input((3,))]
outputs = keras.layers.Dense(2)(keras.layers.Concatenate()(inputs))
graph = visualkeras.graph_view(keras.Model(inputs, outputs))
assert graph.width > 20 and len(graph.getcolors(1 << 20)) > 2
