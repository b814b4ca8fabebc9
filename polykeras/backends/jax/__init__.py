"""JAX as an engine: ``adapter`` is complete; ``fast``, and what it imports, makes it faster."""
