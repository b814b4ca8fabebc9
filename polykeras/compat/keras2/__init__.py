"""Names and paths of Keras 2."""
