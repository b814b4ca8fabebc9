"""CIFAR-10: color images of ten classes, 32 x 32 pixels; see ``cifar`` for the source."""

from __future__ import annotations

from polykeras.datasets import cifar

_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"


def load_data() -> tuple[cifar.Arrays, cifar.Arrays]:
    """Return ``(x_train, y_train), (x_test, y_test)``, downloaded once: 50,000 and 10,000 images.

    Returns:
        x: uint8 array (n, 32, 32, 3), or (n, 3, 32, 32) if ``image_data_format()`` is "channels_first";
            y: uint8 array (n, 1), 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog, 6 frog, 7 horse, 8 ship,
            9 truck.
    """
    return cifar.load("cifar-10-python", _SHA256, [f"data_batch_{n}" for n in range(1, 6)], "test_batch", "labels")
