"""Saving a model, loading weights, and moving it to another backend."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from polykeras.backends.contract.spec import SpecArray
from polykeras.core.graph import Node, Plan, to_specs
from polykeras.layers.signature import map_shapes

if TYPE_CHECKING:
    from polykeras.training.trainer import Trainer as Host
else:
    Host = object


class Persistence(Host):
    """Methods of a Model around ``polykeras.saving``, which is imported on first use; and pickling."""

    _graph_plan: Plan | None
    _inputs_structure: Any
    _graph_nodes: list[Node]

    def __getstate__(self) -> dict:
        # The nodes come first, in order: pickled from its outputs, a deep graph would exceed the recursion limit.
        # Captured steps are left out: they belong to this process.
        nodes = {"_graph_nodes": self._graph_nodes} if self._graph_plan is not None else {}
        functions = dict.fromkeys(("train_function", "test_function", "predict_function"))
        return {**nodes, **super().__getstate__(), "_captured_steps": None, **functions}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        for node in state.get("_graph_nodes", ()):
            known = node.operation._inbound_nodes
            if not any(node is other for other in known):
                known.append(node)

    def _serving_specs(self) -> tuple:
        """Return the arguments of an inference call: arrays without values, of any batch size."""
        if not self.built:
            raise ValueError(
                f"Model {self.name!r}: Expected a built model, for a SavedModel. Received: one that has seen no shape "
                f"yet. Call it on data, or call build(input_shape)."
            )
        if self._graph_plan is not None:
            return (to_specs(self._inputs_structure),)

        def of_any_batch(shape: Any) -> Any:
            return SpecArray((None, *shape[1:]), self.compute_dtype)

        return tuple(map_shapes(of_any_batch, shapes) for shapes in (self._build_shapes or {}).values())

    def to_backend(self, name: str) -> Any:
        """Return a copy of this model on another backend, with its weights, optimizer, metrics and random state.

        Training continues there with the same losses that it would have had here.

        Args:
            name: str, name of the backend.

        Returns:
            The copy; this model is not changed.

        Raises:
            ValueError: if a layer wraps an object of its engine, or the backend is unknown.

        >>> import polykeras as keras
        >>> with keras.backends.use("numpy"):
        ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="head")])
        >>> model.to_backend("numpy").get_weights()[0].tolist() == model.get_weights()[0].tolist()
        True
        """
        from polykeras.models.moving import moved

        return moved(self, name)

    def save(self, filepath: str | os.PathLike, overwrite: bool = True, **kwargs: Any) -> None:
        """Save the model to a ``.keras`` file; see ``polykeras.saving.save_model``.

        Args:
            filepath: path of the file.
            overwrite: bool, whether to replace an existing file without asking; default True.
            **kwargs: see ``polykeras.saving``.
        """
        from polykeras import saving

        saving.save_model(self, filepath, overwrite, **kwargs)

    def save_weights(
        self, filepath: str | os.PathLike, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any
    ) -> None:
        """Save the weights to a ``.weights.h5`` file; see ``polykeras.saving.save_weights``.

        Args:
            filepath: path of the file.
            overwrite: bool, whether to replace an existing file without asking; default True.
            max_shard_size: number of gigabytes beyond which several files are written; default None.
            **kwargs: see ``polykeras.saving``.
        """
        from polykeras import saving

        saving.save_weights(self, filepath, overwrite, max_shard_size, **kwargs)

    def load_weights(
        self, filepath: str | os.PathLike, skip_mismatch: bool = False, by_name: bool = False, **kwargs: Any
    ) -> None:
        """Load weights from a file; see ``polykeras.saving.load_weights``.

        Args:
            filepath: path of the file.
            skip_mismatch: bool, whether to skip weights whose shapes differ; default False.
            by_name: bool, whether to match layers by name; default False.
            **kwargs: see ``polykeras.saving``.
        """
        from polykeras import saving

        saving.load_weights(self, filepath, skip_mismatch, by_name, **kwargs)

    def to_json(self, **kwargs: Any) -> str:
        """Return the architecture as JSON; see ``polykeras.models.model_from_json``.

        Args:
            **kwargs: arguments of ``json.dumps``.

        >>> import polykeras as keras
        >>> keras.models.model_from_json(keras.Sequential([keras.layers.Dense(2)]).to_json()).layers
        [<Dense name=dense, built=False>]
        """
        from polykeras.saving import models

        return models.to_json(self, **kwargs)
