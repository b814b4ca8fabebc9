"""Names in the logs of training, which are those of Keras 3, or of Keras 2 in that era."""

from __future__ import annotations

from typing import Any

#: Of ``metrics=["accuracy"]`` and of the learning rate, where a callback sets it.
ACCURACY, RATE = "accuracy", "learning_rate"
#: Whether logs are found under the names of the other era too.
takes_both = False

_PAIRS = {"accuracy": "acc", "acc": "accuracy", "learning_rate": "lr", "lr": "learning_rate"}


class Logs(dict):
    """Results by name, which are found by their names in Keras 2 and in Keras 3.

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
        """Whichever of the two names is stored; the given one if neither is."""
        if super().__contains__(name):
            return name
        for here, there in _PAIRS.items():
            other = f"{name.removesuffix(here)}{there}" if isinstance(name, str) and name.endswith(here) else None
            if other is not None and super().__contains__(other):
                return other
        return name


def logs(results: dict) -> dict:
    """Return results as they are, or as ``Logs`` in the era of Keras 2.

    Args:
        results: dict of numbers by name.
    """
    return Logs(results) if takes_both else results
