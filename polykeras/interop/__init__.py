"""Bridges to objects of one engine: a torch module, a function of JAX, a Flax module, a SavedModel as layers."""
