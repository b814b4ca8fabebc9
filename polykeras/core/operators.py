"""The Python operators of polykeras's own array-like classes.

Specs, symbolic tensors and variables all inherit from here; ``polykeras.ops`` fills the class
in when it is imported, so that ``x + 1`` means ``ops.add(x, 1)`` and nothing below ops has to
know about it.
"""

from __future__ import annotations


class Operators:
    """Arithmetic, comparison and indexing by ``polykeras.ops``."""

    __slots__ = ()

    # NumPy scalars and arrays on the left leave the operation to us.
    __array_priority__ = 1000

    def __bool__(self) -> bool:
        raise TypeError(
            f"Expected a value that is known now. Received: {self!r}, whose value is not: it can't "
            "decide an `if` or `while`. Use ops.where, ops.cond or ops.while_loop."
        )

    def __len__(self) -> int:
        if not self.shape or self.shape[0] is None:
            raise TypeError(f"Expected an array of known length. Received: {self!r}.")
        return self.shape[0]

    def __iter__(self):
        return (self[place] for place in range(len(self)))

    def __array__(self, *arguments: object) -> None:
        raise TypeError(
            f"Expected an array with values. Received: {self!r}, which has a shape and no values. "
            "Use polykeras.ops in place of NumPy or framework functions here, or give the layer a "
            "compute_output_shape method."
        )
