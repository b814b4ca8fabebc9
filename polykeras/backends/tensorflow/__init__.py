"""TensorFlow as an engine: ``adapter`` does everything, what lies beside it makes it faster."""
