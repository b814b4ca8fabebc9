"""``keras.legacy.saving``: configs in the layout of Keras 2."""

from polykeras.compat.keras2.plain_configs import deserialize_keras_object, serialize_keras_object

__all__ = ["deserialize_keras_object", "serialize_keras_object"]
