"""Global seeding."""

from __future__ import annotations

import random as python_random

import numpy as np

from polykeras.core import seeds


def set_random_seed(seed: int) -> None:
    """Seed all random number generators: polykeras, Python's ``random`` and NumPy.

    The same seed gives the same weights, shuffles and dropout masks on every backend.

    Args:
        seed: non-negative int.

    Raises:
        ValueError: for anything else.

    >>> import polykeras as keras
    >>> keras.utils.set_random_seed(1); a = keras.layers.Dense(2); a.build((None, 3))
    >>> keras.utils.set_random_seed(1); b = keras.layers.Dense(2); b.build((None, 3))
    >>> bool((a.get_weights()[0] == b.get_weights()[0]).all())
    True
    """
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"Expected seed to be an int, at least 0. Received: {seed!r}.")
    seeds.set_seed(int(seed))
    python_random.seed(int(seed))
    np.random.seed(int(seed) % (1 << 32))
