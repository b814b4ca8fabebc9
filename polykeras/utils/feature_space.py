"""FeatureSpace: encoding of the columns of a table as vectors, each according to its kind."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable
from typing import Any, Self

import numpy as np

from polykeras import backends, layers, ops
from polykeras.backends.contract.spec import SpecArray
from polykeras.core import naming, trees
from polykeras.core.graph import KerasTensor
from polykeras.layers import Layer, in_graphs
from polykeras.serialization import registry
from polykeras.utils.image_arrays import one_of

_MODES = ("int", "one_hot", "float")


class Feature:
    """How one column is encoded; see ``FeatureSpace.feature``."""

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str) -> None:
        self.dtype, self.output_mode = dtype, one_of("output_mode", output_mode, _MODES)
        self.preprocessor = registry.deserialize(preprocessor) if isinstance(preprocessor, dict) else preprocessor

    def get_config(self) -> dict:
        return {"dtype": self.dtype, "preprocessor": self.preprocessor, "output_mode": self.output_mode}


class Cross:
    """A cross of columns, which are encoded together; see ``FeatureSpace.cross``."""

    def __init__(self, feature_names: Iterable[str], crossing_dim: int, output_mode: str = "one_hot") -> None:
        self.feature_names = tuple(feature_names)
        self.crossing_dim, self.output_mode = crossing_dim, one_of("output_mode", output_mode, ("int", "one_hot"))

    @property
    def name(self) -> str:
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict:
        names = list(self.feature_names)
        return {"feature_names": names, "crossing_dim": self.crossing_dim, "output_mode": self.output_mode}


@registry.register_keras_serializable("keras.utils")
class FeatureSpace(Layer):
    """Encode the columns of a table, and crosses of columns, as vectors.

    Args:
        features: dict from the name of a column to its kind: ``"float"``, ``"float_normalized"``,
            ``"float_rescaled"``, ``"float_discretized"``, ``"integer_categorical"``, ``"integer_hashed"``,
            ``"string_categorical"``, ``"string_hashed"``; or to the result of the method of that name.
        output_mode: ``"concat"`` for a single vector, or ``"dict"`` for a dict with one vector per feature; default
            "concat".
        crosses: list of tuples of names of integer, string or discretized columns, or results of ``cross``; default
            None.
        crossing_dim, hashing_dim, num_discretization_bins: ints, default numbers of bins; default 32.
        name: str, name of the layer; default None.

    If a feature learns from data, call ``adapt`` first. Calls take a dict of columns, or of the values of one row.
    Columns of strings and integers are encoded on the host, so use the layer in front of a model.

    Raises:
        ValueError: for unknown kinds or modes, or a call before ``adapt``.

    >>> space = FeatureSpace({"size": "float", "colour": "string_categorical"})
    >>> table = {"size": [1.0, 2.0], "colour": ["red", "blue"]}
    >>> space.adapt(table)
    >>> space(table)
    array([[0., 1., 0., 1.],
           [0., 0., 1., 2.]], dtype=float32)
    """

    in_graphs = "leave"

    def __init__(
        self,
        features: dict[str, Any],
        output_mode: str = "concat",
        crosses: Iterable | None = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if not features:
            raise ValueError("Expected at least one feature. Received: none.")
        self.output_mode = one_of("output_mode", output_mode, ("concat", "dict"))
        self.crossing_dim, self.hashing_dim = crossing_dim, hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.features = {name: self._feature(kind) for name, kind in features.items()}
        self.crosses = [self._cross(cross) for cross in crosses or ()]
        self.preprocessors = {name: feature.preprocessor for name, feature in self.features.items()}
        self.crossers = {c.name: layers.HashedCrossing(c.crossing_dim, name=c.name) for c in self.crosses}
        self._inputs: dict[str, KerasTensor] | None = None
        self._is_adapted = not self._learners()
        self.built = True

    # ------------------------------------------------------------------ kinds

    @classmethod
    def feature(cls, dtype: str, preprocessor: Layer, output_mode: str) -> Feature:
        """Return a custom kind of feature.

        Args:
            dtype: dtype of the column: "string", or an integer or float dtype.
            preprocessor: layer that encodes the column.
            output_mode: ``"float"`` or ``"int"`` to use the outputs of the layer unchanged, or ``"one_hot"`` to
                one-hot encode its integers.
        """
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def cross(cls, feature_names: Iterable[str], crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """Return a cross of columns, which are hashed into bins together.

        Args:
            feature_names: tuple, names of the columns.
            crossing_dim: int, number of bins.
            output_mode: ``"int"`` or ``"one_hot"``; default "one_hot".
        """
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Return a feature of floats that are used unchanged."""
        return Feature("float32", layers.Identity(name=_named(name, "float")), "float")

    @classmethod
    def float_rescaled(
        cls, scale: builtins.float = 1.0, offset: builtins.float = 0.0, name: str | None = None
    ) -> Feature:
        """Return a feature of floats that are multiplied by ``scale`` and shifted by ``offset``."""
        return Feature("float32", layers.Rescaling(scale, offset, name=_named(name, "float_rescaled")), "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Return a feature of floats that are normalized to mean 0 and variance 1."""
        return Feature("float32", layers.Normalization(axis=-1, name=_named(name, "float_normalized")), "float")

    @classmethod
    def float_discretized(
        cls, num_bins: int, bin_boundaries: Any = None, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Return a feature of floats that are assigned to bins.

        Args:
            num_bins: int, number of bins.
            bin_boundaries: list of increasing floats; default None, for quantiles of the data.
            output_mode: ``"int"`` or ``"one_hot"``; default "one_hot".
            name: str, name of the preprocessing layer; default None.
        """
        bins = None if bin_boundaries is not None else num_bins
        layer = layers.Discretization(bin_boundaries, bins, name=_named(name, "float_discretized"))
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Return a feature of integers that are mapped to indices by a learned vocabulary.

        Args:
            max_tokens: int, maximum size of the vocabulary; default None, for no limit.
            num_oov_indices: int, number of indices for out-of-vocabulary values; default 1.
            output_mode: ``"int"`` or ``"one_hot"``; default "one_hot".
            name: str, name of the preprocessing layer; default None.
        """
        layer = layers.IntegerLookup(max_tokens, num_oov_indices, name=_named(name, "integer_categorical"))
        return Feature("int64", layer, output_mode)

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Return a feature of strings that are mapped to indices by a learned vocabulary.

        Args:
            max_tokens: int, maximum size of the vocabulary; default None, for no limit.
            num_oov_indices: int, number of indices for out-of-vocabulary values; default 1.
            output_mode: ``"int"`` or ``"one_hot"``; default "one_hot".
            name: str, name of the preprocessing layer; default None.
        """
        layer = layers.StringLookup(max_tokens, num_oov_indices, name=_named(name, "string_categorical"))
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Return a feature of strings that are hashed into bins.

        Args:
            num_bins: int, number of bins.
            output_mode: ``"int"`` or ``"one_hot"``; default "one_hot".
            name: str, name of the preprocessing layer; default None.
        """
        return Feature("string", layers.Hashing(num_bins, name=_named(name, "string_hashed")), output_mode)

    @classmethod
    def integer_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Return a feature of integers that are hashed into bins.

        Args:
            num_bins: int, number of bins.
            output_mode: ``"int"`` or ``"one_hot"``; default "one_hot".
            name: str, name of the preprocessing layer; default None.
        """
        return Feature("int64", layers.Hashing(num_bins, name=_named(name, "integer_hashed")), output_mode)

    def _feature(self, kind: Any) -> Feature:
        if isinstance(kind, Feature):
            return kind
        if isinstance(kind, dict):
            return Feature(**kind)
        makers: dict[str, Callable[[], Feature]] = {
            "float": self.float,
            "float_normalized": self.float_normalized,
            "float_rescaled": self.float_rescaled,
            "float_discretized": lambda: self.float_discretized(self.num_discretization_bins),
            "integer_categorical": self.integer_categorical,
            "string_categorical": self.string_categorical,
            "integer_hashed": lambda: self.integer_hashed(self.hashing_dim),
            "string_hashed": lambda: self.string_hashed(self.hashing_dim),
        }
        return makers[one_of("feature", kind, makers)]()

    def _cross(self, given: Any) -> Cross:
        if isinstance(given, dict):
            given = Cross(**given)
        cross = given if isinstance(given, Cross) else Cross(given, self.crossing_dim)
        for name in cross.feature_names:
            one_of("cross", name, self.features)
            feature = self.features[name]
            if feature.dtype.startswith("float") and not isinstance(feature.preprocessor, layers.Discretization):
                raise ValueError(
                    f"Expected columns of integers, strings or bins to cross. Received: {name!r}, of floats. "
                    "Make it 'float_discretized'."
                )
        return cross

    # ----------------------------------------------------------------- learning

    def _learners(self) -> dict[str, Any]:
        """The preprocessors that have to be adapted to data."""
        found = {name: layer for name, layer in self.preprocessors.items() if hasattr(layer, "adapt")}

        def is_configured(layer: Layer) -> bool:
            return any(
                getattr(layer, name, None) is not None for name in ("input_mean", "bin_boundaries", "input_vocabulary")
            )

        return {name: layer for name, layer in found.items() if not is_configured(layer)}

    def adapt(self, dataset: Any) -> None:
        """Learn means, bins and vocabularies.

        Args:
            dataset: dict of columns, or iterable of dicts of columns or of the values of single rows.

        Raises:
            ValueError: for other data.
        """
        batches = [dataset] if isinstance(dataset, dict) else list(dataset)
        if not batches or not all(isinstance(batch, dict) for batch in batches):
            raise ValueError(f"Expected a dict of columns, or an iterable of them. Received: {type(dataset).__name__}.")
        for name, layer in self._learners().items():
            columns = [_column(batch[name], self.features[name].dtype)[0] for batch in batches]
            layer.adapt(np.concatenate(columns))
        self._is_adapted = True

    # ----------------------------------------------------------------- encoding

    def get_inputs(self) -> dict[str, KerasTensor]:
        """Return symbolic inputs for a model, one per column."""
        if self._inputs is None:
            self._inputs = {
                name: layers.Input((1,), dtype=feature.dtype, name=name) for name, feature in self.features.items()
            }
        return self._inputs

    def get_preprocessed_features(self) -> dict[str, Any]:
        """Return the outputs of the preprocessors for ``get_inputs``, as symbolic tensors."""
        self._check_adapted()
        return {name: self.preprocessors[name](x) for name, x in self.get_inputs().items()}

    def get_encoded_features(self) -> Any:
        """Return the encoded ``get_inputs``, as symbolic tensor(s)."""
        return self._encode(self.get_inputs())

    def _check_adapted(self) -> None:
        if not self._is_adapted:
            raise ValueError(
                f"{self.name}: Expected adapt() before, for the features {naming.listed(sorted(self._learners()))}. "
                "Received: none."
            )

    def __call__(self, data: dict[str, Any]) -> Any:
        carrier = backends.carrier()
        if carrier is not None and in_graphs.is_carried(self, carrier, (data,), {}):
            return in_graphs.call_on_host(self, carrier, (data,), {})
        missing = sorted(set(self.features) - set(data))
        if missing:
            raise ValueError(
                f"{self.name}: Expected features {naming.listed(sorted(self.features))}. Received: "
                f"{naming.listed(missing)} missing."
            )
        columns, singles = {}, []
        for name, feature in self.features.items():
            columns[name], is_single = _column(data[name], feature.dtype)
            singles.append(is_single)
        encoded = self._encode(columns)
        return trees.map(lambda x: x[0], encoded) if all(singles) else encoded

    def _encode(self, columns: dict[str, Any]) -> Any:
        self._check_adapted()
        indices = {name: self.preprocessors[name](column) for name, column in columns.items()}
        encoded = {
            name: _encoded(self.preprocessors[name], indices[name], feature.output_mode)
            for name, feature in self.features.items()
        }
        for cross in self.crosses:
            crosser = self.crossers[cross.name]
            bins = crosser([indices[name] for name in cross.feature_names])
            encoded[cross.name] = _encoded(crosser, bins, cross.output_mode)
        if self.output_mode == "dict":
            return encoded
        self._check_encoded()
        # In alphabetical order, as in Keras 3.
        ordered = [encoded[name] for name in (*sorted(self.features), *(cross.name for cross in self.crosses))]
        return ops.concatenate([ops.cast(x, self.compute_dtype) for x in ordered], axis=-1)

    def _check_encoded(self) -> None:
        """Refuse indices of categories in a vector, where they would count as quantities."""
        modes = {name: feature.output_mode for name, feature in self.features.items()}
        modes |= {cross.name: cross.output_mode for cross in self.crosses}
        for name, mode in modes.items():
            if mode == "int":
                raise ValueError(
                    f"Layer {self.path!r}: Expected features of output_mode='one_hot' or 'float', to join in a vector. "
                    f"Received: output_mode='int' of {name!r}. Use FeatureSpace(..., output_mode='dict')."
                )

    # ------------------------------------------------------------------- saving

    def get_config(self) -> dict:
        return {
            "features": {name: registry.serialize(f.get_config()) for name, f in self.features.items()},
            "output_mode": self.output_mode,
            "crosses": [cross.get_config() for cross in self.crosses],
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
            "name": self.name,
            "is_adapted": self._is_adapted,
        }

    @classmethod
    def from_config(cls, config: dict) -> Self:
        is_adapted = config.get("is_adapted", True)  # missing in configs of Keras 3
        space = cls(**{name: value for name, value in config.items() if name != "is_adapted"})
        space._is_adapted = is_adapted
        return space

    def save(self, filepath: Any) -> None:
        """Save the settings and the learned state to a ``.keras`` file, for ``keras.saving.load_model``.

        Args:
            filepath: str or path of the file.
        """
        from polykeras.saving import save_model

        save_model(self, filepath, include_optimizer=False)


def _named(name: str | None, kind: str) -> str:
    return name or naming.unique(kind)


def _column(values: Any, dtype: str) -> tuple[Any, bool]:
    """A column as (rows, 1), and whether it was the value of a single row."""
    if isinstance(values, SpecArray):
        shape = tuple(values.shape)
        return SpecArray(shape if len(shape) > 1 else (*(shape or (1,)), 1), dtype), not shape
    if not isinstance(values, KerasTensor):
        values = layers.preprocessing.host.on_host(values)
        values = values if dtype == "string" else values.astype(dtype)
    rank = len(values.shape)
    if rank > 1:
        return values, False
    return values.reshape(-1, 1), rank == 0


def _encoded(layer: Layer, result: Any, output_mode: str) -> Any:
    """The result of a layer, encoded according to the output mode."""
    if output_mode != "one_hot":
        return result
    return layers.CategoryEncoding(_count(layer), output_mode="multi_hot")(result)


def _count(layer: Any) -> int:
    """The number of different integers that a layer returns."""
    if hasattr(layer, "vocabulary_size"):
        return layer.vocabulary_size()
    if getattr(layer, "num_bins", None) is not None:
        return layer.num_bins
    if hasattr(layer, "bin_boundaries"):
        return len(layer.bin_boundaries) + 1
    raise ValueError(f"Expected a layer with vocabulary_size or num_bins, for 'one_hot'. Received: {layer!r}.")
