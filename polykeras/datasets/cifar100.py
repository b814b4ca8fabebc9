"""CIFAR-100: color images of 100 classes, 32 x 32 pixels; see ``cifar`` for the source."""

from __future__ import annotations

from polykeras.datasets import cifar

_SHA256 = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"


def load_data(label_mode: str = "fine") -> tuple[cifar.Arrays, cifar.Arrays]:
    """Return ``(x_train, y_train), (x_test, y_test)``, downloaded once: 50,000 and 10,000 images.

    Args:
        label_mode: ``"fine"`` for 100 classes, ``"coarse"`` for 20 superclasses; default "fine".

    Returns:
        x: as for ``cifar10``; y: uint8 array (n, 1).

    Raises:
        ValueError: for another mode.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(f"Expected label_mode to be 'fine' or 'coarse'. Received: {label_mode!r}.")
    return cifar.load("cifar-100-python", _SHA256, ["train"], "test", f"{label_mode}_labels")
