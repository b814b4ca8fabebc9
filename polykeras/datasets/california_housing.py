"""California housing: median house prices in block groups, from the 1990 census.

Source: R. Pace and R. Barry, Sparse spatial autoregressions (1997).
"""

from __future__ import annotations

from polykeras.datasets import housing

_SHA256 = "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
_SMALL = 600


def load_data(
    version: str = "large", path: str = "california_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[housing.Arrays, housing.Arrays]:
    """Return ``(x_train, y_train), (x_test, y_test)``, downloaded once: 20,640 rows with 8 features.

    Args:
        version: ``"large"`` for all rows, ``"small"`` for the first 600; default "large".
        path: str, name of the file in the download folder; default "california_housing.npz".
        test_split: float, fraction of the rows for testing; default 0.2.
        seed: int, seed of the shuffle before the split; default 113.

    Returns:
        x: array (n, 8): longitude, latitude, median age, rooms, bedrooms, population, households, median income;
            y: array (n,), median prices in dollars.

    Raises:
        ValueError: for another version.
    """
    if version not in ("large", "small"):
        raise ValueError(f"Expected version to be 'large' or 'small'. Received: {version!r}.")
    x, y = housing.load(path, "california_housing.npz", _SHA256)
    count = _SMALL if version == "small" else len(x)
    return housing.split(x[:count], y[:count], test_split, seed)
