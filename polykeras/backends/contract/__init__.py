"""What an engine has to offer: primitives, kernels with their composites, and shapes without an engine."""
