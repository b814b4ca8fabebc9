"""Bridges to objects of one engine: torch modules, functions of JAX, Flax modules and SavedModels as layers."""
