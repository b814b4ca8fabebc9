"""What a Model can do besides computing: save itself, and load weights."""

from __future__ import annotations

import os
from typing import Any


class Persistence:
    """Methods of a Model around ``polykeras.saving``, which is imported when first needed."""

    def save(self, filepath: str | os.PathLike, overwrite: bool = True, **kwargs: Any) -> None:
        """Save the model to a ``.keras`` file; see ``polykeras.saving.save_model``."""
        from polykeras import saving

        saving.save_model(self, filepath, overwrite, **kwargs)

    def save_weights(
        self, filepath: str | os.PathLike, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any
    ) -> None:
        """Save the weights to a ``.weights.h5`` file; see ``polykeras.saving.save_weights``."""
        from polykeras import saving

        saving.save_weights(self, filepath, overwrite, max_shard_size, **kwargs)

    def load_weights(
        self, filepath: str | os.PathLike, skip_mismatch: bool = False, by_name: bool = False, **kwargs: Any
    ) -> None:
        """Load weights from a file; see ``polykeras.saving.load_weights``."""
        from polykeras import saving

        saving.load_weights(self, filepath, skip_mismatch, by_name, **kwargs)

    def to_json(self, **kwargs: Any) -> str:
        """Return the architecture as JSON; see ``polykeras.models.model_from_json``.

        >>> import polykeras as keras
        >>> keras.models.model_from_json(keras.Sequential([keras.layers.Dense(2)]).to_json()).layers
        [<Dense name=dense, built=False>]
        """
        from polykeras.saving import models

        return models.to_json(self, **kwargs)
