"""A path of Keras 2: see ``polykeras.engine``."""

from polykeras.compat.keras2.engine import Input, InputLayer, InputSpec, Layer, Network, Node, get_source_inputs

__all__ = ["Input", "InputLayer", "InputSpec", "Layer", "Network", "Node", "get_source_inputs"]
