"""Boston housing: prices in the suburbs of Boston; dated, and with a feature based on race: for old examples only.

Source: D. Harrison and D. Rubinfeld, Hedonic prices and the demand for clean air (1978).
"""

from __future__ import annotations

from polykeras.datasets import housing

_SHA256 = "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"


def load_data(
    path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[housing.Arrays, housing.Arrays]:
    """Return ``(x_train, y_train), (x_test, y_test)``, downloaded once: 506 rows with 13 features.

    Args:
        path: str, name of the file in the download folder; default "boston_housing.npz".
        test_split: float, fraction of the rows for testing; default 0.2.
        seed: int, seed of the shuffle before the split; default 113.

    Returns:
        x: float64 array (n, 13); y: float64 array (n,), prices in thousands of dollars.
    """
    return housing.split(*housing.load(path, "boston_housing.npz", _SHA256), test_split, seed)
