"""Porting the weights of another library's model to a polykeras model."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.capture import stamp
from polykeras.core import trees
from polykeras.interop import readers
from polykeras.parity import measures
from polykeras.parity.matching import WeightMap, foreign_inputs, match, ours


def port_weights(
    model: Any, source: Any, x: Any = None, *, source_x: Any = None, map: dict | None = None, strict: bool = True
) -> WeightMap:
    """Set a model's weights to those of another library's model with the same architecture.

    Args:
        model: a built polykeras model; its weights are replaced, and so are the epsilon and momentum of its
            normalization layers if they differ.
        source, x, source_x, map: as for ``match_weights``. With ``x`` both models are run and compared.
        strict: bool, whether to refuse if a weight of either model is unmatched; default True.

    Returns:
        The WeightMap, with the ``difference`` of the outputs if ``x`` is given.

    Raises:
        ValueError: with ``strict``, if weights are unmatched; the message names them, and the model is not changed.

    >>> import numpy as np, polykeras as keras, tempfile, safetensors.numpy as st
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> path = tempfile.mkdtemp() + "/net.safetensors"
    >>> st.save_file({"fc.weight": np.ones((2, 3), "float32"), "fc.bias": np.ones(2, "float32")}, path)
    >>> found = port_weights(model, path)
    >>> model.get_weights()[1].tolist()
    [1.0, 1.0]
    """
    other = readers.read(source)
    if x is not None and other.framework != "file":
        other.run(*foreign_inputs(other, x, source_x))
    found = match(model, other, x, map)
    if strict and not found.is_complete:
        raise ValueError(
            f"Expected each weight of both models to have a counterpart. Received: ours without one: "
            f"{found.missing[:8]}; theirs not used: {found.unused[:8]}. Pass map={{our layer: their part}}, or "
            f"strict=False."
        )
    apply(model, found)
    if x is not None and other.outputs:
        outputs = trees.leaves(model.predict(x, verbose=0))
        pairs = zip(outputs, other.outputs, strict=False)
        found.difference = max(_difference(a, ours(b, other.channels_first)) for a, b in pairs)
    return found


def _difference(output: np.ndarray, expected: np.ndarray) -> float:
    if output.size == expected.size:
        expected = expected.reshape(output.shape)
    return measures.difference(output, expected).relative


def apply(model: Any, found: WeightMap) -> None:
    """Give a model the values and settings in a WeightMap."""
    prefix = f"{model.name}/"
    variables = {variable.path.removeprefix(prefix): variable for variable in model.weights}
    for entry in found.matches:
        variables[entry.target].assign(np.ascontiguousarray(entry.value))
    if found.settings:
        owners = {
            v.path.rpartition("/")[0].removeprefix(prefix): o
            for o in model._flatten_layers()
            for v in o._own_parts()[0]
        }
        for path, settings in found.settings.items():
            for name, value in settings.items():
                setattr(owners[path], name, value)
        stamp.renew_constants()  # captured steps may hold the old settings as constants
