"""The model: layers connected in a graph or by a user's ``call``, with training."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any, Self

from polykeras import backends, ops
from polykeras.backends.contract.spec import SPEC
from polykeras.capture.calls import captured_call
from polykeras.capture.stamp import renew_constants
from polykeras.core import graph, masks, naming, outer_tensors, trees
from polykeras.core.context import context, within
from polykeras.core.graph import KerasTensor, Plan
from polykeras.core.other_keras import refuse_other_keras
from polykeras.core.renamed import also_named
from polykeras.layers.core import InputLayer, input_dtype
from polykeras.layers.graph_calls import replaceable
from polykeras.layers.layer import Layer
from polykeras.layers.preprocessing.host import is_string_array
from polykeras.layers.signature import shape_arguments
from polykeras.models.inputs import arrange, input_name, is_optional
from polykeras.models.older import OlderMethods
from polykeras.models.persistence import Persistence
from polykeras.models.quantization import Quantization
from polykeras.models.summary import print_summary
from polykeras.models.symbolic_training import SymbolicTraining
from polykeras.serialization import registry
from polykeras.training.string_inputs import front_of, strings_as_arrays
from polykeras.training.trainer import Trainer

_GRAPH = frozenset({"inputs", "outputs", "input", "output"})


class Model(Persistence, Quantization, SymbolicTraining, OlderMethods, Trainer, Layer):
    """Layers that are trained together, with ``compile``, ``fit``, ``evaluate`` and ``predict``.

    There are two ways to make one: from symbolic tensors, ``Model(inputs, outputs)``, or by subclassing it
    and defining ``call``. A model belongs to the backend that is in use when it is made.

    Args:
        *args: ``inputs`` and ``outputs`` by position.
        inputs: symbolic tensor from ``Input`` or from a layer, or a list or dict of them; default None.
        outputs: symbolic tensor(s) computed from the inputs, or a list or dict of them; default None.
        name: str; default ``functional``, ``functional_1``, ...
        **kwargs: ``name``, ``trainable`` and other arguments of ``Layer``.

    Raises:
        ValueError: if an output does not depend on the inputs alone, or two layers have the same name.

    >>> import polykeras as keras
    >>> x = keras.Input((3,))
    >>> model = keras.Model(x, keras.layers.Dense(2)(x))
    >>> model.count_params()
    8
    """

    _takes_structured = True
    _untracked = Layer._untracked | {
        "_loss_graph",
        "optimizer",
        "_compiled_parts",
        "_compile_arguments",
        "loss",
        "_snapshot_lists",
        "history",
        "train_function",
        "test_function",
        "predict_function",
    }

    _is_abstract = True
    _graph_plan: Plan | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        is_graph = len(args) > 1 or not _GRAPH.isdisjoint(kwargs)
        made: Any = Functional if cls is Model and is_graph else cls
        return super().__new__(made, *args, **kwargs)

    def __init__(self, *args: Any, inputs: Any = None, outputs: Any = None, **kwargs: Any) -> None:
        if args and inputs is None:
            inputs, args = args[0], args[1:]
        if args and outputs is None:
            outputs, args = args[0], args[1:]
        if args:
            kwargs.setdefault("name", args[0])
        inputs = kwargs.pop("input", inputs)  # Keras 1 and 2 spellings
        outputs = kwargs.pop("output", outputs)
        if type(self) in (Model, Functional) and kwargs.get("name") is None:
            kwargs["name"] = naming.unique("functional" if inputs is not None else "model")
        super().__init__(**kwargs)
        self._backend_name = backends.outer_name()
        self._layers_in_graph: list[Layer] = []
        self._graph_plan: Plan | None = None
        self._added_in_graph: list[tuple[KerasTensor, str, dict]] = []
        self._inner_tensors: list[KerasTensor] = []  # tensors whose values a call keeps for losses
        self.stop_training = False
        if inputs is not None or outputs is not None:
            self._set_graph(inputs, outputs)
            if not self._trainable:
                self.trainable = False

    # ------------------------------------------------------------------- graph

    def _set_graph(self, inputs: Any, outputs: Any) -> None:
        for what, tree in (("inputs", inputs), ("outputs", outputs)):
            leaves = trees.leaves(tree)
            for leaf in leaves:
                refuse_other_keras(leaf, "symbolic tensors", f"Model {self.name!r}: ")
            if not leaves or not all(isinstance(x, KerasTensor) for x in leaves):
                raise ValueError(
                    f"Expected {what} of the model to be symbolic tensors, from Input() or from layers called on "
                    f"them. Received: {naming.short(tree)}."
                )
        self._inputs_structure = inputs
        self._outputs_structure = outputs
        self._inner_tensors = []
        self.inputs, self.outputs = trees.leaves(inputs), trees.leaves(outputs)
        if len({id(x) for x in self.inputs}) < len(self.inputs):
            raise ValueError(f"Expected each input once. Received: {naming.listed([x.name for x in self.inputs])}.")
        self._graph_plan = Plan(self.inputs, self.outputs)
        self._layers_in_graph = self._order_layers()
        self._check_names()
        self.input_names = [input_name(x) for x in self.inputs]
        self.output_names = self._name_outputs()
        self.built = True
        self.supports_masking = True

    @property
    def _graph_results(self) -> list[KerasTensor]:
        """All tensors that the graph computes: the outputs, and those added to the losses and metrics."""
        return [*self.outputs, *(tensor for tensor, _, _ in self._added_in_graph)]

    def _order_layers(self) -> list:
        """The operations of the graph by depth; within a depth, in the order in which the outputs lead to them."""
        found = graph.ancestors(self._graph_results, self.inputs)
        makers = [x.node for x in self.inputs if x.node is not None and isinstance(x.node.operation, InputLayer)]
        nodes = [*(n for n in makers if n not in found), *found]
        depths: dict[int, int] = {}
        by_operation: dict[int, int] = {}
        for node in reversed(nodes):
            depth = max(depths.get(id(node), 0), by_operation.get(id(node.operation), 0))
            depths[id(node)] = by_operation[id(node.operation)] = depth
            for parent in node.parents:
                depths[id(parent)] = max(depths.get(id(parent), 0), depth + 1)
        indices = self._visit_order()
        operations = {id(n.operation): n.operation for n in nodes}.values()
        self._graph_nodes = nodes
        return sorted(operations, key=lambda o: (-by_operation[id(o)], indices.get(id(o), -1)))

    def _visit_order(self) -> dict[int, int]:
        """Number the operations in the order in which a walk from the outputs to the inputs first meets them."""
        indices: dict[int, int] = {}
        seen: dict[int, Any] = {}
        stop = {id(x) for x in self.inputs}
        pending = list(reversed(self._graph_results))
        while pending:
            tensor = pending.pop()
            node = tensor.node
            if node is None or id(node) in seen:
                continue
            seen[id(node)] = node
            indices.setdefault(id(node.operation), len(indices))
            if id(tensor) not in stop:
                pending.extend(reversed(node.inputs))
        return indices

    def _check_names(self) -> None:
        counts = Counter(layer.name for layer in self._layers_in_graph)
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            raise ValueError(
                f"Expected the layers of model {self.name!r} to have unique names. Received: two or more "
                f"layers named {naming.listed(twice)}. Pass another name=..."
            )

    def _name_outputs(self) -> list[str]:
        """The names of the outputs: dict keys, or the names of the layers that compute them, made unique."""
        structure = self._outputs_structure
        names = [x.maker.operation.name for x in self.outputs]
        if isinstance(structure, dict):
            paths = trees.paths(structure)
            are_listed = [isinstance(trees.part_at(structure, path[:-1]), list | tuple) for path in paths]
            keys = [str(path[-1]) for path in paths]
            return [name if listed else key for name, key, listed in zip(names, keys, are_listed, strict=True)]
        counts: Counter = Counter()
        unique = []
        for name in names:
            unique.append(f"{name}_{counts[name]}" if counts[name] else name)
            counts[name] += 1
        return unique

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order; for a subclassed model those among its attributes."""
        if self._graph_plan is not None:
            return [layer for layer in self._layers_in_graph if isinstance(layer, Layer)]
        return [layer for layer in self._layers_within() if layer is not self]

    def _layers_within(self) -> list[Layer]:
        return self._as_in_graph(super()._layers_within())

    def _own_parts(self) -> tuple[list, list, list, list]:
        weights, seeds, metrics, layers = super()._own_parts()
        return weights, seeds, metrics, self._as_in_graph(layers)

    def _as_in_graph(self, layers: list[Layer]) -> list[Layer]:
        """Return layers in the order of the graph, whatever attributes hold them; layers outside of it come last."""
        order = {id(layer): index for index, layer in enumerate(self._layers_in_graph)}
        return sorted(layers, key=lambda layer: order.get(id(layer), len(order)))

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by name or index.

        Args:
            index: int, an index into ``layers``; default None.

        Raises:
            ValueError: if there is no such layer; the message suggests the closest names.
        """
        if (name is None) == (index is None):
            raise ValueError(f"Expected a name or an index. Received: name={name!r}, index={index!r}.")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"Expected an index below {len(self.layers)}. Received: {index}.")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        raise ValueError(
            f"Model {self.name!r}: Expected the name of one of its {len(names)} layers. Received: "
            f"{naming.short(name)}.{registry.near(name, names)}"
        )

    # ----------------------------------------------------------------- calling

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._mode is not None and context.training is None and kwargs.get("training") is None:
            with within("", self._mode):
                return self(*args, **kwargs)
        if backends.current_name() in (self._backend_name, "spec"):
            if len(args) == 1 and (not kwargs or kwargs == {"training": False}):
                captured = self._graph_plan and captured_call(self, args[0])
                if captured:
                    call, step = captured
                    return call.run(step, (backends.current().feed(args[0]),))
            return super().__call__(*args, **kwargs)
        with backends.use(self._backend_name):
            return super().__call__(*args, **kwargs)

    def _convert_arguments(self, backend: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        if args and isinstance(args[0], list | tuple | dict | str):
            args = (strings_as_arrays(args[0]), *args[1:])
        return super()._convert_arguments(backend, args, kwargs)

    def _float_input_dtype(self) -> str | None:
        dtype = super()._float_input_dtype()
        # The layers of a graph cast their inputs themselves, or need them whole, as those that look up integers do.
        return dtype if dtype is None or self._graph_plan is None else input_dtype(dtype)

    def _infer_outputs(self, args: tuple, kwargs: dict) -> Any:
        # An engine's own code inside runs on the model's engine, even if another one is the default.
        with backends.use(backends.deferred(self._backend_name)), backends.use(SPEC):
            return super()._infer_outputs(args, kwargs)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Run the graph. Subclasses override it.

        Args:
            training: bool, whether to run in training mode; default None.
            mask: mask of the inputs; default None.
        """
        if self._graph_plan is None:
            raise NotImplementedError(
                f"Expected the model class {type(self).__name__} to define call(self, inputs), or to be made "
                f"from inputs and outputs. Received: neither."
            )
        front = front_of(self) if isinstance(inputs, dict) else None  # encoded strings are a dict
        is_encoded = front is not None and front.is_encoded(inputs)
        values = [] if is_encoded else self._arrange(inputs)
        if mask is not None:
            given = mask if isinstance(mask, list | tuple) else trees.leaves(mask)
            for value, its_mask in zip(values, given, strict=False):
                if value is not None and its_mask is not None:
                    masks.set_mask(value, its_mask)
        results = front.run_rest(inputs) if front is not None and is_encoded else self._graph_plan.run(values)
        count, end = len(self.outputs), len(self._graph_results)
        for (_, method, arguments), value in zip(self._added_in_graph, results[count:end], strict=True):
            getattr(self, method)(ops.mean(value), **arguments)
        if self._inner_tensors:
            outer_tensors.keep(results[0], self._inner_tensors, results[end:])
        structure = self._outputs_structure
        is_single = (
            isinstance(structure, list | tuple) and len(structure) == 1 and isinstance(structure[0], KerasTensor)
        )
        if is_single or isinstance(structure, KerasTensor):  # a list of one output returns the output, as in Keras
            return results[0]
        return trees.unflatten(trees.structure(self._outputs_structure), results[:count])

    @also_named(losses="loss")
    def add_loss(self, loss: Any, inputs: Any = None) -> None:
        """Add a scalar to the loss from inside ``call``; or a symbolic tensor to a functional model, as in Keras 2.

        For a symbolic tensor, its mean is added. The layers that compute it become layers of the model.

        Args:
            loss: scalar array or symbolic tensor, or a list of them.
            inputs: accepted for compatibility and ignored; default None.

        >>> import numpy as np, polykeras as keras
        >>> x = keras.Input((2,)); model = keras.Model(x, keras.layers.Dense(1)(x))
        >>> model.add_loss(keras.ops.abs(x)); model.compile("sgd")
        >>> model.evaluate(np.array([[1.0, -3.0]]), verbose=0)
        2.0
        """
        if isinstance(loss, KerasTensor):
            self._add_output(loss, "add_loss", {})
        else:
            super().add_loss(loss)

    def add_metric(self, value: Any, name: str | None = None, aggregation: str | None = "mean") -> None:
        """Track a value from inside ``call``, or a symbolic tensor of a functional model; see ``Layer.add_metric``.

        Args:
            value: array of any shape, or symbolic tensor.
            aggregation: "mean" or None; default "mean".
        """
        if isinstance(value, KerasTensor):
            self._add_output(value, "add_metric", {"name": name or value.name, "aggregation": aggregation})
        else:
            super().add_metric(value, name, aggregation)

    def _add_output(self, tensor: KerasTensor, method: str, arguments: dict) -> None:
        """Compute a tensor in each call, and pass its mean to a method."""
        if self._graph_plan is None or type(self).call is not Model.call:
            raise ValueError(
                f"Model {self.name!r}: Expected a symbolic tensor to be added only to a functional model. Received: "
                f"{type(self).__name__}. Call add_loss or add_metric in its call() instead."
            )
        self._added_in_graph.append((tensor, method, arguments))
        self._graph_plan = Plan(self.inputs, [*self._graph_results, *self._inner_tensors])
        renew_constants()
        known = {id(layer) for layer in self._layers_in_graph}
        self._layers_in_graph += [layer for layer in self._order_layers() if id(layer) not in known]
        self._check_names()

    def _keep_from_now_on(self, tensors: list[KerasTensor]) -> None:
        """Have calls pass the values of some of the graph's tensors on to the losses that use them."""
        known = {id(x) for x in self._inner_tensors}
        self._inner_tensors += [x for x in tensors if id(x) not in known]
        self._graph_plan = Plan(self.inputs, [*self._graph_results, *self._inner_tensors])

    def _arrange(self, inputs: Any) -> list:
        """Return the values for the inputs in order, checked and cast."""
        backend = backends.current()
        return [self._fit_input(backend, x, value) for x, value in zip(self.inputs, arrange(self, inputs), strict=True)]

    def _fit_input(self, backend: Any, expected: KerasTensor, value: Any) -> Any:
        """Check one input; a last axis of size 1 may be missing or superfluous."""
        if value is None:
            return self._check_optional(expected)
        if is_string_array(value):
            backend = backends.load("numpy")
        shape = tuple(backend.shape(value))
        if len(shape) == len(expected.shape) - 1 and expected.shape[-1] == 1:
            value = backend.reshape(value, (*shape, 1))
        elif len(shape) == len(expected.shape) + 1 and shape[-1] == 1:
            value = backend.reshape(value, shape[:-1])
        shape = tuple(backend.shape(value))
        # The computation does not depend on the batch size, so that of Input(batch_size=...) may vary.
        fits = len(shape) == len(expected.shape) and all(
            None in (n, m) or n == m for n, m in zip(expected.shape[1:], shape[1:], strict=True)
        )
        if not fits:
            raise ValueError(
                f"Model {self.name!r}, input {input_name(expected)!r}: Expected shape {expected.shape}. "
                f"Received shape: {shape}."
            )
        if is_string_array(value):
            return value
        return value if backend.dtype(value) == expected.dtype else backend.cast(value, expected.dtype)

    def _check_optional(self, expected: KerasTensor) -> None:
        if not is_optional(expected):
            raise ValueError(
                f"Model {self.name!r}, input {input_name(expected)!r}: Expected an array. Received: None. Make it with "
                f"Input(..., optional=True) to be able to omit it."
            )

    def build(self, input_shape: Any = None) -> None:
        """Create the weights of a subclassed model, for inputs of given shapes.

        If ``call`` doesn't run on such inputs, there is a warning, and the first call creates the weights.

        Args:
            input_shape: a shape including the batch size, or a list or dict of them; default None.
        """
        if self._graph_plan is None and input_shape is not None and not self.built:
            try:
                Layer.compute_output_shape(self, input_shape)
            except Exception as error:
                warnings.warn(
                    f"Model {self.name!r}: Expected call to run on inputs of shape {naming.short(input_shape)}, "
                    f"in build. Received: {naming.short(error)}. The first call on data creates the weights.",
                    stacklevel=3,
                )
                return
        self.built = True

    def _build_for(self, backend: Any, args: tuple, kwargs: dict) -> None:
        if type(self).build is Model.build:
            self._build_shapes = shape_arguments(self._signature_of_call, args, kwargs)
            self.built = True  # nested layers are built when ``call`` reaches them
        elif not self._is_building:  # the ``build`` of a user's class may call the model
            super()._build_for(backend, args, kwargs)

    def get_build_config(self) -> dict | None:
        """Return the shapes that the model was built with; for a subclass also how its layers were built."""
        from polykeras.saving import builds

        config = super().get_build_config()
        if self._graph_plan is not None or hasattr(self, "_sequential_layers"):
            return config
        layers = builds.describe(self)
        return {**(config or {}), "layers": layers} if self.built or len(layers) > 1 else config

    def build_from_config(self, config: dict) -> None:
        """Build according to ``get_build_config``; ``call`` runs, on specs, only for layers that it creates itself.

        Args:
            config: dict, as ``get_build_config`` returns.
        """
        from polykeras.saving import builds

        if self.built or not config:
            return
        shapes = {key: shape for key, shape in config.items() if key != "layers"}
        self._build_shapes = shapes
        if type(self).build is not Model.build:
            super().build_from_config(shapes)
        elif "layers" not in config:
            Layer.compute_output_shape(self, **shapes)
        builds.restore(self, config.get("layers", {}))
        self.built = self.built or type(self).build is Model.build

    @property
    def input(self) -> Any:
        """The symbolic input(s), in the structure in which they were passed."""
        self._check_has_graph("input")
        return super().input if self._graph_plan is None else self._inputs_structure

    @property
    def output(self) -> Any:
        """The symbolic output(s), in the structure in which they were passed."""
        self._check_has_graph("output")
        return super().output if self._graph_plan is None else self._outputs_structure

    @replaceable
    def input_shape(self) -> Any:
        """The shape of the only input, or a list of the shapes of all."""
        return super().input_shape if self._graph_plan is None else _shapes(self.inputs)

    @replaceable
    def output_shape(self) -> Any:
        """The shape of the only output, or a list of the shapes of all."""
        return super().output_shape if self._graph_plan is None else _shapes(self.outputs)

    def _check_has_graph(self, what: str) -> None:
        if self._graph_plan is None and not self._inbound_nodes:
            raise AttributeError(
                f"Model {self.name!r}: Expected a model with a known {what}. Received: one that has seen no shape yet. "
                f"Build it: begin with an Input, or call build(input_shape). A subclassed model has no symbolic {what}."
            )

    # ----------------------------------------------------------------- display

    def summary(
        self,
        line_length: int | None = None,
        positions: list | None = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: tuple | None = None,
    ) -> None:
        """Print a table of the layers, their output shapes and parameter counts.

        Args:
            line_length: int, width in characters; default None.
            positions: column ends, as fractions of the width or in characters; default None.
            print_fn: function called with each line, in place of ``print``; default None.
            expand_nested: bool, whether to show the layers of nested models too; default False.
            show_trainable: bool, whether to add a column for ``trainable``; default False.
            layer_range: pair of regular expressions on names, the first and last layer to show; default None.

        Layers whose weights do not exist yet are shown as unbuilt.
        """
        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    # ----------------------------------------------------------------- configs

    def get_config(self) -> dict:
        """Return the model's graph as a config; for a subclass the arguments of its constructor."""
        if self._graph_plan is None or type(self).__init__ is not Model.__init__:
            is_overridden = type(self).get_config is not Model.get_config
            return {**super().get_config(), **({} if is_overridden else self._remembered_arguments())}
        from polykeras.models.graph_configs import graph_config

        return graph_config(self)

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Self:
        """Create a model from ``get_config``, with new weights.

        Args:
            config: dict, as ``get_config`` returns.
            custom_objects: dict from names to classes or functions; default None.
        """
        from polykeras.models.graph_configs import is_graph_config, model_from_graph_config

        with registry.custom_object_scope(custom_objects or {}):
            if is_graph_config(config):
                return model_from_graph_config(cls, config)
            return super().from_config(config)

    def reset_states(self) -> None:
        """Reset the states of nested recurrent layers to zeros."""
        for layer in self._flatten_layers(include_self=False):
            if hasattr(layer, "reset_states") and getattr(layer, "stateful", False):
                layer.reset_states()


class Functional(Model):
    """A model made from symbolic tensors; ``Model(inputs, outputs)`` returns one.

    Args:
        *args, **kwargs: ``name`` and ``trainable``, as for ``Model``.
        inputs, outputs: symbolic tensor, or list or dict of them; default None.

    >>> import polykeras as keras
    >>> x = keras.Input((3,))
    >>> type(keras.Model(x, keras.layers.Dense(2)(x))).__name__
    'Functional'
    """


def _shapes(tensors: list[KerasTensor]) -> Any:
    return tensors[0].shape if len(tensors) == 1 else [x.shape for x in tensors]
