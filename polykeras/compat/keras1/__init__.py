"""Names of Keras 1."""
