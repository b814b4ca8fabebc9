"""Models as programs of one engine, for servers and devices without polykeras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from polykeras import backends
from polykeras.backends.contract.spec import SpecArray
from polykeras.core import naming, trees
from polykeras.core.graph import KerasTensor
from polykeras.interop.tensorflow import as_module
from polykeras.layers.input_spec import InputSpec

_FORMATS = ("tf_saved_model", "onnx", "openvino", "torch", "litert")


def export_model(
    model: Any, filepath: Any, format: str, verbose: bool | None, input_signature: Any, **options: Any
) -> None:
    """Write a model as a program of its engine; see ``Model.export``."""
    if format not in _FORMATS:
        raise ValueError(f"Expected format to be one of {_FORMATS}. Received: {format!r}.")
    if format == "litert" and Path(filepath).suffix != ".tflite":
        raise ValueError(f"Expected the name of a .tflite file for format='litert'. Received: {str(filepath)!r}.")
    writers = {"tf_saved_model": ("tensorflow", _write_saved_model), "torch": ("torch", _write_torch)}
    if format not in writers:
        raise NotImplementedError(
            f"Model {model.name!r}: Expected one of the formats {naming.listed(sorted(writers))}. Received: "
            f"{format!r}, which is not implemented yet. Real Keras loads a file of model.save(), and exports it."
        )
    engine, write = writers[format]
    name = model.weights[0].backend_name if model.weights else backends.current_name()
    if name != engine:
        raise RuntimeError(
            f"Model {model.name!r}: Expected a model on the backend {engine!r} for format={format!r}. Received: one on "
            f"{name!r}. Use model.to_backend({engine!r})."
        )
    specs = _specs(model, input_signature)
    with backends.use(engine):
        write(model, str(filepath), specs, options)
    if verbose:
        print(f"Saved {model.name!r} as {format} at {str(filepath)!r}.")


def _specs(model: Any, signature: Any) -> Any:
    """Return the sizes and dtypes of the inputs, nested as the model expects them."""
    if signature is not None:
        if isinstance(signature, list | tuple) and len(signature) == 1:
            signature = signature[0]
        return trees.map(_spec, signature)
    if getattr(model, "inputs", None):
        return trees.map(_spec, model._inputs_structure)
    if not model._build_shapes:
        raise ValueError(
            f"Model {model.name!r}: Expected a model that has been called, or input_signature. Received: neither. Call "
            f"it on a batch first."
        )
    shape = next(iter(model._build_shapes.values()))
    return trees.map(lambda x: SpecArray((None, *x.shape[1:]), x.dtype), _shapes_to_specs(shape, model.compute_dtype))


def _shapes_to_specs(shapes: Any, dtype: str) -> Any:
    if isinstance(shapes, dict):
        return {key: _shapes_to_specs(value, dtype) for key, value in shapes.items()}
    if isinstance(shapes[0], int | None):
        return SpecArray(tuple(shapes), dtype)
    return [_shapes_to_specs(shape, dtype) for shape in shapes]


def _spec(x: Any) -> SpecArray:
    if isinstance(x, SpecArray):
        return x
    if isinstance(x, InputSpec | KerasTensor) or not hasattr(x, "dtype"):
        return SpecArray(tuple(x.shape), x.dtype or "float32")
    return SpecArray(tuple(x.shape), getattr(x.dtype, "name", str(x.dtype).removeprefix("torch.")))


# ----------------------------------------------------------------------- torch


def _write_torch(model: Any, filepath: str, specs: Any, options: dict) -> None:
    import torch

    from polykeras.interop.torch_modules import InputsModule

    known = (
        "strict",
        "dynamic_shapes",
        "prefer_deferred_runtime_asserts_over_guards",
        "preserve_module_call_signature",
    )
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"Expected arguments of torch.export.export among {known}. Received: {naming.listed(unknown)}."
        )
    backend = backends.current()
    example = trees.map(lambda x: backend.array(backend.stand_in(tuple(n or 1 for n in x.shape), x.dtype)), specs)
    program = torch.export.export(InputsModule(model).eval(), (example,), **{"strict": False, **options})
    torch.export.save(program, filepath)


# ------------------------------------------------------------------ tensorflow


def _write_saved_model(model: Any, filepath: str, specs: Any, options: dict) -> None:
    if options:
        raise ValueError(
            f"Expected no further arguments for format='tf_saved_model'. Received: {naming.listed(sorted(options))}."
        )
    archive = ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", lambda inputs: model(inputs, training=False), [specs])
    archive.write_out(filepath, verbose=False)


class ExportArchive:
    """Functions of layers and models, saved together as a SavedModel of TensorFlow.

    Raises:
        RuntimeError: on a backend other than TensorFlow.

    >>> import numpy as np, tempfile, polykeras as keras
    >>> with keras.backends.use("tensorflow"):
    ...     layer = keras.layers.Dense(2)
    ...     _ = layer(np.ones((1, 3)))
    ...     archive = ExportArchive()
    ...     archive.track(layer)
    ...     _ = archive.add_endpoint("serve", layer.call, [keras.InputSpec(shape=(None, 3), dtype="float32")])
    ...     archive.write_out(tempfile.mkdtemp(), verbose=False)
    """

    def __init__(self) -> None:
        if backends.current_name() != "tensorflow":
            raise RuntimeError(
                f"Expected the backend 'tensorflow' for an ExportArchive. Received: {backends.current_name()!r}. Make "
                f"it inside `with polykeras.backends.use('tensorflow'):`."
            )
        import tensorflow as tf

        self._root = tf.Module()
        self._root.tracked, self._root.collected = [], []
        self._endpoints: dict[str, Any] = {}

    def track(self, resource: Any) -> None:
        """Add the variables of a layer, a model, or an object of TensorFlow to the archive.

        Args:
            resource: the layer, model or object.
        """
        import tensorflow as tf

        is_own = hasattr(resource, "variables") and not isinstance(resource, tf.Module)
        self._root.tracked.append(as_module(resource) if is_own else resource)

    def add_endpoint(self, name: str, fn: Callable, input_signature: Any = None, **kwargs: Any) -> Any:
        """Add a function for users of the SavedModel to call.

        Args:
            name: str, the name by which they call it.
            fn: function of arrays, such as ``layer.call``; or a ``tf.function`` that has been called.
            input_signature: list with a tree of ``InputSpec``, ``tf.TensorSpec`` or symbolic tensors for each
                argument; default None, for a ``tf.function``.
            **kwargs: for other backends; ignored.

        Returns:
            The function, as a ``tf.function``.

        Raises:
            ValueError: for a duplicate name, and for a plain function without a signature.
        """
        import tensorflow as tf

        if name in self._endpoints:
            raise ValueError(f"Expected an unused endpoint name. Received: {name!r}, which already exists.")
        if input_signature is None and not hasattr(fn, "get_concrete_function"):
            raise ValueError(f"Expected input_signature for the endpoint {name!r}. Received: None.")
        if input_signature is not None:
            specs = [trees.map(lambda x: tf.TensorSpec(x.shape, x.dtype), trees.map(_spec, s)) for s in input_signature]
            fn = tf.function(_on_tensorflow(fn), input_signature=specs, autograph=False)
        function: Any = fn
        for concrete in function._list_all_concrete_functions() or [function.get_concrete_function()]:
            self._root.collected += list(concrete.graph.variables)
        self._endpoints[name] = function
        return function

    def track_and_add_endpoint(self, name: str, resource: Any, input_signature: Any, **kwargs: Any) -> Any:
        """Track a layer or model, and add its call in inference mode.

        Args:
            name, input_signature, **kwargs: as for ``add_endpoint``.
            resource: the layer or model.
        """
        self.track(resource)
        return self.add_endpoint(name, lambda *inputs: resource(*inputs, training=False), input_signature, **kwargs)

    def add_variable_collection(self, name: str, variables: list) -> None:
        """Make variables available to users of the SavedModel as an attribute.

        Args:
            name: str, the name of the attribute.
            variables: list of Variables.
        """
        backend: Any = backends.load("tensorflow")
        setattr(self._root, name, [backend.own(variable) for variable in variables])

    def write_out(self, filepath: Any, options: Any = None, verbose: bool = True) -> None:
        """Write the SavedModel.

        Args:
            filepath: str, path of the folder.
            options: a ``tf.saved_model.SaveOptions``; default None.
            verbose: bool, whether to print the names of the endpoints; default True.

        Raises:
            ValueError: for an archive without endpoints.
        """
        import tensorflow as tf

        if not self._endpoints:
            raise ValueError("Expected an endpoint before write_out(). Received: none. Use add_endpoint().")
        for name, function in self._endpoints.items():
            setattr(self._root, name, function)
        signatures = dict(self._endpoints)
        default = signatures.get("serve", next(iter(signatures.values())))
        tf.saved_model.save(self._root, str(filepath), signatures={"serving_default": default}, options=options)
        if verbose:
            print(f"Saved the endpoints {naming.listed(self._endpoints)} at {str(filepath)!r}.")


def _on_tensorflow(function: Callable) -> Callable:
    def run(*inputs: Any) -> Any:
        with backends.use("tensorflow"):
            return function(*inputs)

    return run
