"""SavedModels as layers, and models and optimizers as objects that TensorFlow can save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from polykeras.core import naming, trees
from polykeras.interop.foreign_layer import ForeignLayer
from polykeras.serialization import registry


def as_module(owner: Any) -> Any:
    """Return a ``tf.Module`` for a model, layer, metric or optimizer, for checkpoints and SavedModels.

    It shares the variables themselves: values that a checkpoint restores are the model's. For a model with known
    inputs, ``serve`` is its function of inputs in inference mode.

    Args:
        owner: object with ``variables``, on the tensorflow backend.

    Raises:
        RuntimeError: if variables are on another backend.
    """
    names = {variable.backend_name for variable in owner.variables} - {"tensorflow"}
    if names:
        raise RuntimeError(
            f"Expected variables on the backend 'tensorflow'. Received: {owner.name!r}, with variables on "
            f"{sorted(names)}. Make it inside `with polykeras.backends.use('tensorflow'):`."
        )
    from polykeras.interop.tensorflow_modules import OwnerModule

    return OwnerModule(owner)


class TFSMLayer(ForeignLayer):
    """Use a function of a SavedModel as a layer, on the tensorflow backend.

    Its variables become weights of the layer, which polykeras trains, saves and loads.

    Args:
        filepath: str, folder of the SavedModel.
        call_endpoint: str, the function to call: an attribute of the saved object, or one of its signatures.
        call_training_endpoint: str, the function to call in training; default None, for the same one.
        trainable: bool, whether optimizers update the weights; default True.
        name: str, name of the layer; default None.
        dtype: a float dtype or policy; default None.

    Raises:
        ValueError: for a function that the SavedModel does not have.
        RuntimeError: on another backend.

    A config contains the folder, whose code would be run, so it loads only with ``safe_mode=False``.
    """

    engine = "tensorflow"
    _untracked = ForeignLayer._untracked | {"_saved", "_held"}

    def __init__(
        self,
        filepath: Any,
        call_endpoint: str = "serve",
        call_training_endpoint: str | None = None,
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=trainable, name=name, dtype=dtype, **kwargs)
        import tensorflow as tf

        self.filepath = str(filepath)
        if not (Path(self.filepath) / "saved_model.pb").exists():
            raise ValueError(f"Layer {self.name!r}: Expected the folder of a SavedModel. Received: {self.filepath!r}.")
        self.call_endpoint, self.call_training_endpoint = call_endpoint, call_training_endpoint
        self._saved = tf.saved_model.load(self.filepath)
        for endpoint in (call_endpoint, call_training_endpoint):
            if endpoint is not None:
                self._endpoint(endpoint)
        function = self._endpoint(call_endpoint)
        concrete = getattr(function, "concrete_functions", None) or [function]
        # Variables that the function itself reads come first: a SavedModel may contain others.
        found = {v.ref(): v for f in concrete for v in f.graph.variables} | {
            v.ref(): v for v in getattr(self._saved, "variables", [])
        }
        self._held = list(found.values())
        self._values = [self.keep(v.numpy(), v.trainable, v.name.split(":")[0]) for v in self._held]
        self.built = True

    def _endpoint(self, name: str) -> Any:
        function = getattr(self._saved, name, None) or self._saved.signatures.get(name)
        if function is None:
            raise ValueError(
                f"Layer {self.name!r}: Expected a function of the SavedModel in {self.filepath!r}, such as "
                f"{naming.listed(sorted(self._saved.signatures))}. Received: {name!r}."
            )
        return function

    def call(self, inputs: Any, training: bool = False) -> Any:
        import tensorflow as tf

        function = self._endpoint((training and self.call_training_endpoint) or self.call_endpoint)
        concrete = getattr(function, "concrete_functions", None) or [function]
        expected = next(iter(concrete[0].structured_input_signature[0]), None)
        count = len(self._held)
        leaves, structure = trees.flatten(inputs)
        found: list = []

        @tf.custom_gradient
        def run(*arrays: Any) -> tuple:
            for variable, value in zip(self._held, arrays[:count], strict=True):
                variable.assign(value)
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(arrays[count:])
                outputs = function(_nested_as(expected, trees.unflatten(structure, list(arrays[count:]))))
                results, found[:] = trees.flatten(outputs)[0], [trees.flatten(outputs)[1]]

            def backward(*gradients: Any, variables: Any = None) -> Any:
                sources = [*self._held, *arrays[count:]]
                every = tape.gradient(results, sources, list(gradients), unconnected_gradients="zero")
                return (every, [None] * len(variables)) if variables else every

            return tuple(tf.identity(y) for y in results), backward

        results = run(*[v.array for v in self._values], *leaves)
        if training:
            for weight, variable in zip(self._values, self._held, strict=True):
                if not weight.trainable:
                    weight.assign(variable.read_value())
        return trees.unflatten(found[0], list(results))

    def get_config(self) -> dict:
        names = ("filepath", "call_endpoint", "call_training_endpoint")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create a layer from ``get_config``.

        Raises:
            ValueError: unless the caller allowed code by ``safe_mode=False``.
        """
        where = f"Layer {config.get('name')!r}"
        registry.refuse_unless_unsafe(where, f"the SavedModel {config['filepath']!r}", "Make the layer in Python.")
        return super().from_config(config)


def _nested_as(signature: Any, inputs: Any) -> Any:
    """Return the inputs with lists and tuples where the signature of a function has them, which tells them apart."""
    if isinstance(signature, list | tuple) and isinstance(inputs, list | tuple) and len(signature) == len(inputs):
        return type(signature)([_nested_as(*pair) for pair in zip(signature, inputs, strict=True)])
    if isinstance(signature, dict) and isinstance(inputs, dict):
        return {key: _nested_as(signature.get(key), value) for key, value in inputs.items()}
    return inputs


def batch_size_of(dataset: Any) -> int | None:
    """Return the number of rows in the batches of a ``tf.data.Dataset``; None if it has no batches, or of any size.

    Args:
        dataset: a ``tf.data.Dataset``.
    """
    import tensorflow as tf
    from tensorflow.python.data.experimental.ops.distribute import compute_batch_size

    if any(spec.shape.rank == 0 for spec in tf.nest.flatten(dataset.element_spec)):
        return None
    size = int(compute_batch_size(dataset))
    return size if size >= 0 else None


def distribution_strategy(model: Any) -> Any:
    """Return TensorFlow's current distribution strategy, which packages ask a model for.

    Args:
        model: model on the tensorflow backend.

    Raises:
        AttributeError: on another backend.
    """
    _require(model, "distribute_strategy")
    import tensorflow as tf

    return tf.distribute.get_strategy()


def input_specs(model: Any) -> Callable[..., list | None]:
    """Return the function from which TensorFlow's own tools get the ``tf.TensorSpec``s of a model's inputs.

    Args:
        model: model on the tensorflow backend.

    Raises:
        AttributeError: on another backend.
    """
    _require(model, "_get_save_spec")

    def specs(dynamic_batch: bool = True) -> list | None:
        import tensorflow as tf

        if getattr(model, "inputs", None) is None:
            return None
        return [
            tf.TensorSpec((None if dynamic_batch else x.shape[0], *x.shape[1:]), x.dtype, name=x.name)
            for x in model.inputs
        ]

    return specs


def _require(model: Any, name: str) -> None:
    """Reject an attribute that only models of this engine have."""
    if model._backend_name != "tensorflow":
        raise AttributeError(f"{type(model).__name__!r} object has no attribute {name!r}")
