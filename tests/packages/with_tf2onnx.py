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
function = tf.function(lambda x: model(x, training=False))
signature = [tf.TensorSpec((None, 8, 8, 1), tf.float32, name="picture")]
onnx_model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=13)
x = np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype("float32")
(outputs,) = onnx.reference.ReferenceEvaluator(onnx_model).run(None, {"picture": x})
np.testing.assert_allclose(outputs, model.predict(x, verbose=0), atol=1e-5)
