"""What only older versions of Keras had, under the paths that they had for it."""
