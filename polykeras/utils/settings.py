"""Config: named values that can be frozen."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from typing import Any


class Config(MutableMapping):
    """A dict whose entries are also attributes, and which can be frozen against changes.

    Args:
        **kwargs: the initial entries.

    Raises:
        ValueError: for a change after ``freeze()``.
        AttributeError: for an attribute that is not an entry.

    >>> config = Config(learning_rate=0.1)
    >>> config.seed = 3
    >>> config["learning_rate"], config.to_json()
    (0.1, '{"learning_rate": 0.1, "seed": 3}')
    """

    def __init__(self, **kwargs: Any) -> None:
        self.__dict__["_values"] = dict(kwargs)
        self.__dict__["_frozen"] = False

    @property
    def frozen(self) -> bool:
        """Whether the config is frozen."""
        return self._frozen

    def freeze(self) -> None:
        """Reject changes from now on."""
        self.__dict__["_frozen"] = True

    def unfreeze(self) -> None:
        """Allow changes again."""
        self.__dict__["_frozen"] = False

    def as_dict(self) -> dict:
        """Return the entries as a new dict."""
        return dict(self._values)

    def to_json(self) -> str:
        """Return the entries as JSON."""
        return json.dumps(self._values)

    def _check_changeable(self) -> None:
        if self._frozen:
            raise ValueError("Expected a config that is not frozen. Received: a change after freeze().")

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._check_changeable()
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        self._check_changeable()
        del self._values[name]

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__.get("_values", {})
        if name not in values:
            raise AttributeError(f"Expected one of {sorted(values)}. Received: {name!r}.")
        return values[name]

    __setattr__ = __setitem__

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Config {self._values}>"
