"""A model as ONNX, computed by ONNX's own reference."""

import keras
import numpy as np
import onnx.reference
import tensorflow as tf
import tf2onnx

PACKAGE = "tf2onnx"
ENGINES = ("tensorflow",)

keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.layers.Input((8, 8, 1), name="picture"),
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(3, activation="softmax"),
    ]
)
x = np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype("float32")
signature = [tf.TensorSpec((None, 8, 8, 1), tf.float32, name="picture")]
# Before opset 14 ONNX's reference computes BatchNormalization as in training.
of_model, _ = tf2onnx.convert.from_keras(keras.Model(model.inputs, model.outputs), opset=15)
of_function, _ = tf2onnx.convert.from_function(tf.function(lambda x: model(x, training=False)), signature, opset=15)
for made in (of_model, of_function):
    (outputs,) = onnx.reference.ReferenceEvaluator(made).run(None, {made.graph.input[0].name: x})
    np.testing.assert_allclose(outputs, model.predict(x, verbose=0), atol=1e-5)
