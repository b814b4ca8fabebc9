"""Tools of Keras 2, under its names; most are thin wrappers of ``polykeras.utils``."""
