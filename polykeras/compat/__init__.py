"""Names that only older versions of Keras have, under their old paths."""
