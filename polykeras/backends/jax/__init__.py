"""JAX as an engine: ``adapter`` does everything, ``fast`` and what it imports make it faster."""
