"""``keras.legacy.saving``: configs in the layout of Keras 2."""

from polykeras.utils.legacy import deserialize_keras_object, serialize_keras_object

__all__ = ["deserialize_keras_object", "serialize_keras_object"]
