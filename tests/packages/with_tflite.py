"""The converter for small devices, and its interpreter."""

import keras
import numpy as np
import tensorflow as tf

PACKAGE = "tensorflow_cpu"
ENGINES = ("tensorflow",)

keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.layers.Input((8, 8, 1)),
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(3, activation="softmax"),
    ]
)
function = tf.function(lambda x: model(x, training=False))
concrete = function.get_concrete_function(tf.TensorSpec((1, 8, 8, 1), tf.float32))
converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
interpreter = tf.lite.Interpreter(model_content=converter.convert())
interpreter.allocate_tensors()
x = np.random.default_rng(0).uniform(size=(1, 8, 8, 1)).astype("float32")
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
interpreter.invoke()
outputs = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
np.testing.assert_allclose(outputs, model.predict(x, verbose=0), atol=1e-5)
