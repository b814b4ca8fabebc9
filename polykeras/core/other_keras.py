"""Parts of another Keras, installed beside polykeras, in programs that import names from both."""

from __future__ import annotations

from typing import Any

_ROOTS = ("keras", "tf_keras")


def is_of_other_keras(x: Any) -> bool:
    """Return whether a class of another Keras made an object.

    >>> is_of_other_keras(3)
    False
    """
    return any(str(cls.__module__).partition(".")[0] in _ROOTS for cls in type(x).__mro__)


def refuse_symbol_of_other_keras(x: Any, place: str = "") -> None:
    """Refuse a symbolic tensor of another Keras, which has no values that could be computed with.

    Args:
        x: anything; variables of another Keras, which have values, are accepted.
        place: str, as for ``refuse_other_keras``; default "".

    Raises:
        TypeError: for a symbolic tensor of another Keras.

    >>> refuse_symbol_of_other_keras(3)
    """
    if type(x).__name__ == "KerasTensor":
        refuse_other_keras(x, "arrays, or symbolic tensors", place)


def refuse_other_keras(x: Any, expected: str, place: str = "", received: str = "") -> None:
    """Refuse an object of another Keras, whose weights and graphs polykeras does not know.

    Args:
        x: the object; one of any other library is accepted.
        expected: str, what is needed instead, such as "layers".
        place: str, what the message begins with, such as "Layer 'dense': "; default "".
        received: str, where the object was found, such as " as attribute 'inner'"; default "".

    Raises:
        TypeError: for an object of another Keras.

    >>> refuse_other_keras(3, "layers")
    """
    if is_of_other_keras(x):
        raise TypeError(
            f"{place}Expected {expected} of polykeras. Received: {type(x).__name__} of another Keras{received}. Take "
            f"it from polykeras, or run the program by `python -m polykeras run`, under which `keras` and `tf.keras` "
            f"stand for polykeras."
        )
