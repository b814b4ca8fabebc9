"""What an engine must provide: primitives, kernels with their composites, and shape inference without an engine."""
