"""Names in training logs: those of Keras 3, or of Keras 2 where its defaults are chosen."""

from __future__ import annotations

from typing import Any

#: The log names of ``metrics=["accuracy"]``, and of the learning rate when a callback changes it.
ACCURACY, RATE = "accuracy", "learning_rate"
#: Whether a function that is a metric keeps its name as written, ``MyMetric``, rather than ``my_metric``.
keeps_spelling = False

#: Whether logs can also be looked up under the names of the other Keras version.
takes_both = False

#: Whether the logs of a batch contain its index and size, as ``batch`` and ``size``, and ``params`` tell of the data.
has_batches = False

#: The second are the names in Keras 2.0 to 2.2, and in 2.3 for the learning rate.
_NAMES = (
    ("accuracy", "acc"),
    ("learning_rate", "lr"),
    ("mae", "mean_absolute_error"),
    ("mse", "mean_squared_error"),
    ("mape", "mean_absolute_percentage_error"),
    ("msle", "mean_squared_logarithmic_error"),
)
_PAIRS = dict(_NAMES) | {there: here for here, there in _NAMES}


class Logs(dict):
    """Results by name, which can be looked up by their names in Keras 2 or in Keras 3.

    >>> logs = Logs({"val_acc": 0.5})
    >>> logs["val_accuracy"], "val_accuracy" in logs, logs
    (0.5, True, {'val_acc': 0.5})
    """

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(self._stored_name(name))

    def __contains__(self, name: object) -> bool:
        return super().__contains__(self._stored_name(name))

    def get(self, name: Any, default: Any = None) -> Any:
        return super().get(self._stored_name(name), default)

    def _stored_name(self, name: Any) -> Any:
        """Whichever of the two names is stored; the given name if neither is."""
        if super().__contains__(name):
            return name
        for here, there in _PAIRS.items():
            other = f"{name.removesuffix(here)}{there}" if isinstance(name, str) and name.endswith(here) else None
            if other is not None and super().__contains__(other):
                return other
        return name


def of_results(logs: dict) -> dict:
    """Return the logs of a batch without its index and size, which are not displayed.

    >>> of_results({"batch": 0, "size": 32, "loss": 0.5})
    {'batch': 0, 'size': 32, 'loss': 0.5}
    """
    return {name: x for name, x in logs.items() if name not in ("batch", "size")} if has_batches else logs


def logs(results: dict) -> dict:
    """Return results unchanged, or as ``Logs`` where the defaults of Keras 2 are chosen.

    Args:
        results: dict of numbers by name.
    """
    return Logs(results) if takes_both else results


def params(names: list[str], source: Any, is_validated: bool) -> dict:
    """Return what only Keras 2 tells callbacks in ``params``: the logs to come, and the size of the data.

    Args:
        names: names of the loss and the metrics.
        source: source of batches, with ``rows`` and ``batch_size`` if it is one of arrays.
        is_validated: bool, whether there is validation data.
    """
    if not has_batches:
        return {}
    names = [*names, *(f"val_{name}" for name in names if is_validated)]
    sizes = {"samples": getattr(source, "rows", None), "batch_size": getattr(source, "batch_size", None)}
    known = {name: size for name, size in sizes.items() if size is not None}
    return {"metrics": names, "do_validation": is_validated, **known}
