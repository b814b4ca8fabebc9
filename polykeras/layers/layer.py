"""The base class of layers: weights, and a function of them."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from polykeras import backends, dtype_policies, ops, regularizers
from polykeras.backends.contract.spec import SpecArray
from polykeras.backends.shared.structured import STRUCTURED
from polykeras.capture.stamp import note_inside, remember
from polykeras.core import dtypes, graph, masks, naming, placement, scopes, trees, turns
from polykeras.core.arguments import OF_LAYERS, name_may_come_first
from polykeras.core.context import context, owned, unscoped, within
from polykeras.core.expressions import Expression
from polykeras.core.functionalization import settled
from polykeras.core.graph import Node
from polykeras.core.other_keras import refuse_symbol_of_other_keras
from polykeras.core.renamed import also_named
from polykeras.core.seeds import SeedGenerator
from polykeras.core.shape_inference import StandIns, inferred, outside_inference
from polykeras.core.tracking import Trackable, unique
from polykeras.core.variables import Variable, autocast, scope, values_of
from polykeras.layers import in_graphs, making
from polykeras.layers import input_spec as specs
from polykeras.layers.call_arguments import CallArguments
from polykeras.layers.idioms import EngineIdioms
from polykeras.layers.inference import Inference
from polykeras.layers.keras2_names import Keras2Names
from polykeras.layers.keras3_names import Keras3Names
from polykeras.layers.signature import Signature, as_shown, map_shapes, plain, shape_arguments
from polykeras.layers.trainability import Trainability
from polykeras.serialization import registry

#: Whether a layer's losses, read outside of any computation, are symbolic tensors to differentiate, as in Keras 2.
penalties_are_symbolic = False

_LEGACY = (
    "input_shape",
    "batch_input_shape",
    "batch_shape",
    "input_dim",
    "input_length",
    "batch_size",
    "input_dtype",
    "weights",
)


class Layer(Trainability, Keras2Names, Inference, EngineIdioms, CallArguments, Keras3Names, Trackable):
    """Base class of layers.

    A subclass creates its weights with ``add_weight`` in ``build(input_shape)`` or ``__init__``, and computes its
    output in ``call(inputs)`` with ``polykeras.ops``. ``call`` may also take ``training``, ``mask`` and other
    arguments. The output shape is inferred from ``call``.

    Args:
        activity_regularizer: regularizer of the output, added to the loss, or its name; default None.
        trainable: bool, whether optimizers update the weights; default True.
        dtype: a float dtype, a policy such as ``"mixed_bfloat16"``, or None for the global policy.
        autocast: bool, whether to cast float inputs, and weights read in ``call``, to the compute dtype; default True.
        name: str; default None, for a name derived from the class name.
        input_shape, batch_input_shape, input_dim, input_length, batch_size: shape of the input, for
            the first layer of a Sequential model, as in Keras 2.
        weights: list of initial values for ``set_weights``, as in Keras 2.
        **kwargs: ``input_shape``, ``batch_size`` and other arguments of Keras 2's layers.

    Raises:
        TypeError: for an unknown argument.

    >>> import numpy as np, polykeras as keras
    >>> class Scale(keras.layers.Layer):
    ...     def build(self, input_shape):
    ...         self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones")
    ...     def call(self, inputs):
    ...         return inputs * self.scale
    >>> Scale()(np.ones((2, 3))).shape
    (2, 3)
    """

    _untracked = frozenset(
        {"_init_arguments", "_inbound_nodes", "_initial_weights", "_losses", "_own_seeds", "_torch_module"}
    )

    #: In a user's graph: "compute" in it, "leave" it to the host, or "measure": leave it where sizes are unknown.
    in_graphs = "compute"
    #: TensorFlow's autograph does not convert functions with this attribute.
    autograph_info__: dict = {}

    _accepted_inputs: dict[type, set] = {}
    #: Whether a call converts its inputs to arrays; layers of other packages that take text set it to False.
    _convert_input_args = True
    _weight_places = 1
    _adds_losses = False
    _loss_functions: tuple[Callable, ...] = ()
    _own_seeds: SeedGenerator | None = None
    _is_abstract = True
    _is_initialized = False
    _signature_of_call: Any = None
    _init_arguments: tuple[tuple, dict]
    _is_building = False
    _build_shapes: dict | None = None
    _initial_weights: list | None = None
    _losses_entry: int | None = None
    #: Whether ``call`` computes with ops alone, which take sparse and ragged arrays; other layers get dense ones.
    _takes_structured = False
    supports_masking = False
    input_spec: Any = None
    #: True from the start in classes that have nothing to build.
    built = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        layer = super().__new__(cls)
        layer._init_arguments = args, kwargs
        return layer

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            _set_build(cls)
        cls._signature_of_call = None
        cls._is_abstract = vars(cls).get("_is_abstract", False)
        cls._is_users = not cls.__module__.startswith("polykeras.")
        if cls._is_users and "call" in vars(cls):
            cls._takes_structured = True
        if (cls._is_users or "build" in vars(cls)) and "built" not in vars(cls):
            cls.built = False

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.name = self._check_name(name)
        self.path = self.name
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.autocast = autocast
        self._start_layer(trainable)
        self._own_weights: list[Variable] = []
        self._losses: list = []
        self._inbound_nodes: list[Node] = []
        self._accepted_inputs = {}
        self._set_policy(dtype if dtype is not None else kwargs.pop("input_dtype", None))
        self._read_legacy(kwargs)
        self._is_initialized = True

    def _note_change(self, name: str) -> None:
        self._accepted_inputs.clear()
        vars(self).pop("_signature_of_call", None)

    def _check_name(self, name: Any) -> str:
        if name is None:
            return naming.unique(naming.snake_case(self.__class__.__name__))
        if not isinstance(name, str) or ("/" in name and not scopes.allows_slashes):
            raise ValueError(
                f"Expected the name of a {type(self).__name__} layer to be a string without '/'. Received: {name!r}."
            )
        return name

    def _set_policy(self, policy: Any) -> None:
        policy = dtype_policies.get(policy)
        self._dtype_policies = policy
        self.dtype_policy = policy[self.path] if isinstance(policy, dtype_policies.DTypePolicyMap) else policy
        self.compute_dtype = self.dtype_policy.compute_dtype
        self.variable_dtype = self.dtype_policy.variable_dtype
        self._casts_variables = self.autocast and self.compute_dtype != self.variable_dtype

    def _read_legacy(self, kwargs: dict) -> None:
        unknown = set(kwargs) - set(_LEGACY)
        if unknown:
            raise TypeError(
                f"Layer {self.name!r}: Expected arguments of {self.__class__.__name__}. Received: unknown "
                f"argument(s) {sorted(unknown)}. Its arguments: {_parameters(self.__class__)}."
            )
        if kwargs.get("weights") is not None:
            self._initial_weights = kwargs["weights"]
        shape = kwargs.get("batch_input_shape", kwargs.get("batch_shape"))
        if shape is None and kwargs.get("input_shape") is not None:
            inner = kwargs["input_shape"]
            inner = (inner,) if isinstance(inner, int) else tuple(inner)
            shape = (kwargs.get("batch_size"), *inner)
        if shape is None and kwargs.get("input_dim") is not None:
            length = (kwargs["input_length"],) if "input_length" in kwargs else ()
            shape = (kwargs.get("batch_size"), *length, kwargs["input_dim"])
        if shape is not None:
            self._batch_input_shape = tuple(shape)

    # ------------------------------------------------------------------ weights

    def build(self, input_shape: Any) -> None:
        """Create the weights for the given input shape(s). Called once, before the first ``call``.

        Args:
            input_shape: tuple of sizes with the batch axis, or a list or dict of tuples for several inputs.
        """
        self.built = True

    @name_may_come_first(*OF_LAYERS)
    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str | None = None,
        overwrite_with_gradient: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> Variable:
        """Create a weight.

        Args:
            shape: tuple of sizes; default None, for a scalar, or the shape of an array passed as ``initializer``.
                Where the name comes first, the positional arguments are those of Keras 2: ``name, shape, dtype,
                initializer, regularizer, trainable, constraint``.
            initializer: object, name, function or array; default ``"glorot_uniform"``, or ``"zeros"`` for integers.
            dtype: dtype of the weight; default the layer's variable dtype.
            trainable: bool, whether optimizers update it; default True.
            autocast: bool, whether ``call`` reads it in the compute dtype; default True.
            regularizer: regularizer of the weight, added to the loss, or its name; default None.
            constraint: constraint applied after each update, or its name; default None.
            aggregation: accepted for compatibility and ignored; default None.
            overwrite_with_gradient: bool, whether optimizers assign the gradient to the weight instead of taking a
                step; default False.
            name: str; default ``variable``, ``variable_1``, ...
            **kwargs: arguments of Keras 2.

        Returns:
            The new Variable.
        """
        from polykeras import constraints, initializers

        dtype = dtypes.standardize(dtype or self.variable_dtype)
        if initializer is None:
            initializer = "glorot_uniform" if dtypes.is_float(dtype) else "zeros"
        initializer = initializers.get(initializer)
        if shape is None and isinstance(initializer, initializers.Constant):
            shape = np.shape(initializer.value)
        if shape is None:
            shape = ()
        variable = Variable(
            initializer,
            shape=(shape,) if isinstance(shape, int) else tuple(shape),
            dtype=dtype,
            trainable=trainable,
            autocast=autocast,
            aggregation=aggregation,
            name=name or ("variable" if not self._own_weights else f"variable_{len(self._own_weights)}"),
            regularizer=regularizers.get(regularizer),
            constraint=constraints.get(constraint),
        )
        variable.overwrite_with_gradient = overwrite_with_gradient
        path = context.path if context.path.split("/")[-1] == self.name else self.path
        variable.path = f"{path}/{variable.name}"
        self._own_weights.append(variable)
        self._freeze_new_weights()
        note_inside(self)
        self._parts_came()
        if type(self)._add_variable_with_custom_getter is not Layer._add_variable_with_custom_getter:
            from polykeras.compat.keras2.wrapped_weights import wrapped

            return wrapped(self, variable, initializer=initializer, **kwargs)
        return variable

    def _own_parts(self) -> tuple[list, list, list, list]:
        """The layer's own weights (trainable first), seed generators, metrics, and sublayers."""
        weights, seeds, metrics, layers = list(self._own_weights), [], [], []
        for item in self._owned_parts():
            if isinstance(item, Variable):
                weights.append(item)
            elif isinstance(item, SeedGenerator):
                seeds.append(item)
            elif isinstance(item, Layer):
                layers.append(item)
            elif hasattr(item, "update_state"):
                metrics.append(item)
        weights = unique(iter(weights))
        return sorted(weights, key=lambda v: not v.made_trainable), seeds, metrics, layers

    def _adopt_all(self) -> None:
        """Convert attributes that are modules of a framework to layers, before ``call`` uses them."""
        if self._is_users:
            self._owned_parts()

    def _adopt(self, name: str, value: Any, holder: Any) -> Any:
        from polykeras.interop.foreign_layer import adopted

        return adopted(self, name, value, holder)

    def _find_own_seeds(self) -> SeedGenerator:
        """The seed generator for random draws in ``call`` that are given no seed."""
        if self._own_seeds is None:
            with owned(None):
                self._own_seeds = SeedGenerator()
            self._accepted_inputs.clear()
        return self._own_seeds

    def _layers_within(self) -> list[Layer]:
        return [item for item in self._owned_parts() if isinstance(item, Layer)]

    def _flatten_layers(self, include_self: bool = True) -> list[Layer]:
        """This layer and all nested ones, each once, parents first."""
        found: dict[int, Layer] = {}

        def visit(layer: Layer) -> None:
            if id(layer) not in found:
                found[id(layer)] = layer
                for sublayer in layer._layers_within():
                    visit(sublayer)

        visit(self)
        return list(found.values())[0 if include_self else 1 :]

    def _collect_variables(self, extras: bool, seen: dict[int, Layer] | None = None) -> Iterator[Variable]:
        """Yield the variables of this layer and the nested ones; with ``extras`` also those of seeds and metrics."""
        seen = {} if seen is None else seen
        if id(self) in seen:
            return
        seen[id(self)] = self
        weights, seeds, metrics, layers = self._own_parts()
        yield from weights
        if extras:
            yield from (seed.state for seed in seeds)
            for metric in metrics:
                yield from metric.variables
            if self._own_seeds is not None:
                yield self._own_seeds.state
        for layer in layers:
            yield from layer._collect_variables(extras, seen)

    @property
    def weights(self) -> list[Variable]:
        """The weights of this layer and of the nested layers, in order of creation."""
        return unique(self._collect_variables(extras=False))

    @property
    def variables(self) -> list[Variable]:
        """The weights, and the state variables of seed generators and metrics."""
        return unique(self._collect_variables(extras=True))

    def get_weights(self) -> list[np.ndarray]:
        """Return the values of the weights as NumPy arrays."""
        with turns.growing():
            weights = self.weights
        with settled(weights):
            return [w.numpy() for w in weights]

    def set_weights(self, weights: list) -> None:
        """Replace the values of the weights.

        Args:
            weights: list of arrays, in the order and with the shapes of ``get_weights``.

        Raises:
            ValueError: if the number of arrays or a shape differs.
        """
        self._replace_weights(weights, Variable.assign)

    def _replace_weights(self, weights: list, replace: Callable[[Variable, Any], None]) -> None:
        own = self.weights
        shapes = [tuple(np.shape(value)) for value in weights]
        expected = [w.shape for w in own]
        if shapes and not own and not self.built:
            raise ValueError(
                f"Layer {self.path!r}: Expected a built layer to set {len(shapes)} weights of. Received: one without "
                f"weights yet. Call it on data, or call build(input_shape)."
            )
        if shapes != expected:
            pairs = enumerate(itertools.zip_longest(expected, shapes))
            index = next(index for index, (one, other) in pairs if one != other)
            raise ValueError(
                f"Layer {self.path!r}: Expected {len(own)} weights of shapes {naming.listed(expected)}. "
                f"Received: {len(shapes)} of shapes {naming.listed(shapes)}. The first difference is at index {index}."
            )
        for weight, value in zip(own, weights, strict=True):
            replace(weight, value)

    def count_params(self) -> int:
        """Return the total number of scalars in the weights.

        Raises:
            ValueError: if the layer is not built.
        """
        if not self.built and not self.weights:
            raise ValueError(
                f"Layer {self.path!r}: Expected a built layer. Received: one without weights yet. "
                f"Call it on data, or call build(input_shape)."
            )
        return sum(w.size for w in self.weights)

    def _is_built_below(self) -> bool:
        return all(layer.built for layer in self._flatten_layers())

    # ------------------------------------------------------------------- calling

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output. Subclasses override it.

        Args:
            *args, **kwargs: ``inputs``, and whatever else the layer takes, such as ``training`` and ``mask``.
        """
        raise NotImplementedError(
            f"Expected the layer class {self.__class__.__name__} to define call(self, inputs). Received: none."
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs:
            # Fast path: a plain layer, and an array whose type, shape and dtype have passed all checks before.
            x = args[0]
            accepted = self._accepted_inputs.get(x.__class__)
            is_plain = accepted and not masks._masks and (x.shape, x.dtype) in accepted and scope.autocast is None
            if is_plain and self._signature_of_call.function is self.__class__.call:
                outputs = self._users_call(x) if self._is_users else self._plain_call(x)
                return outputs if outputs.__class__ is x.__class__ else values_of(outputs)
        return self._checked_call(args, kwargs)

    def _plain_call(self, x: Any) -> Any:
        if not self._signature_of_call.takes_training:
            return self.call(x)
        training = self._signature_of_call.training if context.training is None else context.training
        return self.call(x) if training is None else self.call(x, training=training)

    def _users_call(self, x: Any) -> Any:
        if self._is_on_stand_ins():
            return self._checked_call((x,), {})
        with within(self.name, None, self):  # for random draws in call
            return self._plain_call(x)

    def _checked_call(self, args: tuple, kwargs: dict) -> Any:
        if not self._is_initialized:
            raise RuntimeError(
                f"Expected {self.__class__.__name__}.__init__ to call super().__init__(). Received: a layer "
                f"whose __init__ did not. Add the call as its first line."
            )
        signature = self.__class__._signature_of_call
        if signature is None or signature.function is not self.__class__.call:
            self.__class__._signature_of_call = Signature(self.__class__.call, is_of_class=True)
        if "call" in vars(self):  # an instance attribute that replaces the method
            self._signature_of_call = Signature(vars(self)["call"])
        if not args:
            self._signature_of_call.check_has_input(kwargs, f"Layer {self.path!r} ({type(self).__name__})")
        if graph.has_symbols(args, kwargs):
            return self._symbolic_call(args, kwargs)
        return (self._call_handing_down if self._handed_down else self._call_on_arrays)(args, kwargs)

    def _call_on_arrays(self, args: tuple, kwargs: dict) -> Any:
        backend, carrier = backends.current(), backends.carrier()
        if not self._convert_input_args:
            return self._call_unconverted(backend, args, kwargs)
        if carrier is not None and in_graphs.is_carried(self, carrier, args, kwargs):
            return in_graphs.call_on_host(self, carrier, args, kwargs)
        first = args[0] if len(args) == 1 and not kwargs else None
        args, kwargs = self._convert_arguments(backend, args, kwargs)
        training = self._signature_of_call.resolve_training(args, kwargs)
        with within(self.name, training, self):
            try:
                self._check_call_inputs(backend, args, kwargs)
                if not self.built:
                    self._adopt_all()
                    self._build_once(backend, args, kwargs)
                mask = self._signature_of_call.add_masks(args, kwargs)
                if training is not None and "training" not in kwargs:
                    self._signature_of_call.add_training(args, kwargs, training)
                outputs = self._run_call(backend, args, kwargs)
                if placement.state.distribution is not None:
                    outputs = placement.relaid(backend, outputs, context.path)
            except Exception as error:
                _annotate(error, self)
                raise
            if self.activity_regularizer is not None:
                self._regularize_activity(backend, outputs)
        if backend.is_symbolic:
            self._note_shapes(args, outputs)
        elif isinstance(scope.values, StandIns):
            scope.values.note(self._note_shapes, args, outputs)
        outputs = self._pass_mask(backend, args, kwargs, mask, outputs)
        # Shapes of stand-ins are not remembered: the next run on them must do the same bookkeeping as this one.
        if first is not None and args[0] is first and not isinstance(scope.values, StandIns):
            self._accept_input(backend, first)
        return outputs

    def _call_unconverted(self, backend: Any, args: tuple, kwargs: dict) -> Any:
        """Call a layer whose inputs are not converted: text, or tensors of a data pipeline."""
        with within(self.name, self._signature_of_call.resolve_training(args, kwargs), self):
            if not self.built:
                self._build_once(backend, args, kwargs)
            return self.call(*args, **kwargs)

    def _note_shapes(self, args: tuple, outputs: Any) -> None:
        """Keep the output shape for ``summary``, and at how many positions of a sample the weights are applied."""
        self._shown_shape = trees.map(lambda x: getattr(x, "shape", ()), outputs)
        shapes = [x.shape for x in trees.leaves((args, outputs)) if isinstance(x, SpecArray)]
        self._weight_places = max((math.prod(n or 1 for n in shape[1:-1]) for shape in shapes), default=1)

    def _run_call(self, backend: Any, args: tuple, kwargs: dict) -> Any:
        if backend.is_symbolic:
            return self._infer_outputs(args, kwargs)
        return self._compute_on_stand_ins(args, kwargs) if self._is_on_stand_ins() else self._compute_call(args, kwargs)

    def _compute_call(self, args: tuple, kwargs: dict) -> Any:
        if self._casts_variables or scope.autocast is not None:
            with autocast(self.compute_dtype if self._casts_variables else None):
                return values_of(self.call(*args, **kwargs))
        return values_of(self.call(*args, **kwargs))

    def _convert_arguments(self, backend: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """Convert array-likes to arrays, and cast floats."""
        target = self._float_input_dtype()

        def convert(x: Any) -> Any:
            if isinstance(x, np.ndarray) and x.dtype.kind in "OSU":
                x = self._convert_text(backend, x)
                if not backend.has_text:
                    return x
            if self._takes_structured and (x.__class__ in STRUCTURED or not backend.is_array(x)):
                own = backend.as_structured(x)
                if own is not None:
                    is_cast = target is not None and backend.dtype(own) in dtypes.FLOATS
                    return masks.copy_mask(x, ops.cast(own, target) if is_cast else own)
            x = backend.densified(x)
            if isinstance(x, Variable | Expression):
                x = x.array
            elif not backend.is_array(x):
                if not hasattr(x, "__array__") or isinstance(x, SpecArray):
                    return x
                refuse_symbol_of_other_keras(x, f"Layer {self.path!r}: ")
                x = backend.array(np.asarray(x))
            dtype = backend.dtype(x)
            if target is not None and dtype != target and dtype in dtypes.FLOATS:
                mask = masks.get_mask(x)
                x = backend.cast(x, target)
                if mask is not None:
                    masks.set_mask(x, mask)
            return x

        if len(args) == 1 and not kwargs and backend.is_array(args[0]):
            return (convert(args[0]),), {}
        return trees.map(convert, args), trees.map(convert, kwargs)

    def _float_input_dtype(self) -> str | None:
        """Return the dtype to which float inputs are cast; None to leave them as they are."""
        return self.compute_dtype if self.autocast and dtypes.is_float(self.compute_dtype) else None

    def _convert_text(self, backend: Any, x: np.ndarray) -> Any:
        """Convert strings to the engine's own string type, or leave them to NumPy, for a nested layer."""
        if self._layers_within() and all(isinstance(text, str | bytes) for text in x.flat):
            return backend.array(x) if backend.has_text else x.astype(object)
        raise ValueError(
            f"Layer {self.path!r} ({type(self).__name__}): Expected numbers. Received: strings or objects, "
            f"shape {x.shape}. Put StringLookup, TextVectorization or Hashing in front for strings."
        )

    def _check_call_inputs(self, backend: Any, args: tuple, kwargs: dict) -> None:
        if self.input_spec is not None and args:
            specs.check(self.input_spec, args[0], context.path, backend)

    def _accept_input(self, backend: Any, x: Any) -> None:
        """Remember the shape and dtype of an input for the fast path of ``__call__``, if the layer allows it."""
        is_plain = (
            backend.is_array(x)
            and backend.is_value(x)
            and self._signature_of_call.is_plain
            and self.activity_regularizer is None
            and not self._casts_variables
            and not self._losses
            and self._own_seeds is None
            and type(self).compute_mask is Layer.compute_mask
            and not self._layers_within()
            and not self._handed_down
            and not (backend.is_symbolic and (self._needs_engine or self._states_output_shape()))
            and placement.state.distribution is None
        )
        if is_plain:
            self._accepted_inputs.setdefault(x.__class__, set()).add((x.shape, x.dtype))
            remember(self)

    # ------------------------------------------------------------------ building

    def _build_once(self, backend: Any, args: tuple, kwargs: dict) -> None:
        with turns.growing():
            if not self.built:  # another thread may have built it while this one waited
                self._build_for(backend, args, kwargs)

    def _build_for(self, backend: Any, args: tuple, kwargs: dict) -> None:
        self._signature_of_call.check_complete(args, kwargs, f"Layer {self.path!r} ({type(self).__name__})")
        shapes = shape_arguments(self._signature_of_call, args, kwargs)
        wanted = [p for p in _names_after_self(type(self).build) if p not in ("args", "kwargs")]
        if len(wanted) <= 1:
            self.build(next(iter(shapes.values()), None))
        else:
            self._check_build(wanted)
            self.build(**{name: shape for name, shape in shapes.items() if name in wanted})
        self.built = True

    def _check_build(self, wanted: list[str]) -> None:
        unknown = [
            n
            for n in wanted
            if not n.endswith("_shape") or n.removesuffix("_shape") not in self._signature_of_call.names
        ]
        if unknown:
            known = naming.listed([f"{n}_shape" for n in self._signature_of_call.names])
            raise ValueError(
                f"Layer {self.path!r} ({type(self).__name__}): Expected arguments of build() to be named after those "
                f"of call(), with the suffix `_shape`: {known}. Received: {naming.listed(unknown)}."
            )

    def get_build_config(self) -> dict | None:
        """Return the shapes that the layer was built for, or None if it is not built."""
        return self._build_shapes

    def build_from_config(self, config: dict) -> None:
        """Build the layer for the shapes that ``get_build_config`` returned.

        Args:
            config: dict, as ``get_build_config`` returns.
        """
        if not self.built and config:
            # Files of JSON return each shape as a list, by which a layer's build recognizes several inputs.
            shapes = {name: map_shapes(tuple, shape) for name, shape in config.items()}
            self.build(*shapes.values()) if len(shapes) == 1 else self.build(**shapes)

    # ------------------------------------------------------------- masks, losses

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the mask of the output, by default that of the input.

        Args:
            inputs: array or structure of arrays.
            previous_mask: mask of the inputs, or structure of masks; default None.
        """
        return previous_mask

    def _asked_for_mask(self, inputs: Any, mask: Any) -> Any:
        try:
            return inferred(self.compute_mask, inputs, mask)
        except TypeError:
            if mask is not None or not isinstance(inputs, list | tuple):
                raise
        # Keras 2.3.1 gives a list of None where tf.keras and Keras 3 give None.
        return inferred(self.compute_mask, inputs, [None] * len(inputs))

    def _pass_mask(self, backend: Any, args: tuple, kwargs: dict, mask: Any, outputs: Any) -> Any:
        """Return the outputs with the masks that ``compute_mask`` gives them."""
        overrides = type(self).compute_mask is not Layer.compute_mask
        if not overrides and (mask is None or not self.supports_masking):
            # Layers within may have set masks.
            is_plain = mask is not None and not self._layers_within()
            return masks.detached(outputs, args, backend.copy) if is_plain else outputs
        result = self._asked_for_mask(self._signature_of_call.first(args, kwargs), mask)
        found = result if isinstance(result, list | tuple) else [result]
        if mask is not None and any(its_mask is None for its_mask in found):
            outputs = masks.detached(outputs, args, backend.copy)
        # A single mask for several outputs (states, scores) belongs to the first, as in Keras.
        for output, its_mask in zip(trees.leaves(outputs), found, strict=False):
            if its_mask is not None and output is not None:
                masks.set_mask(output, its_mask)
        return outputs

    @also_named(losses="loss")
    def add_loss(self, loss: Any, inputs: Any = None) -> None:
        """Add one or more scalars to the loss of the model, from inside ``call``.

        A function without arguments is called to get the loss, as in Keras 2; one added outside ``call`` is called
        in every step.

        Args:
            loss: scalar array or symbolic tensor, function without arguments, or list of these.
            inputs: accepted for compatibility and ignored; default None.
        """
        self._accepted_inputs.clear()
        self._adds_losses = True
        self._new_losses()
        for item in loss if isinstance(loss, list | tuple) else [loss]:
            item = item.read if isinstance(item, Expression) else item
            if callable(item) and (context.entry is None or context.is_building):
                self._loss_functions = (*self._loss_functions, item)
            else:
                self._losses.append(item() if callable(item) else item)
                if context.collected_losses is not None and not backends.current().is_symbolic:
                    context.collected_losses.append(self._losses[-1])

    def _new_losses(self) -> None:
        """Discard the losses of an earlier call of the model."""
        if self._losses_entry != context.entry:
            self._losses, self._losses_entry = [], context.entry

    def _regularize_activity(self, backend: Any, outputs: Any) -> None:
        for output in trees.leaves(outputs):
            if backend.is_array(output):
                batch = backend.shape(output)[0] if backend.shape(output) else 1
                self.add_loss(inferred(self.activity_regularizer, output) / (batch or 1))

    @property
    def losses(self) -> list:
        """Losses added in the last call (``add_loss``, activity regularizer), and those of weight regularizers."""
        layers = self._flatten_layers()
        calls = [layer for layer in layers if layer._losses]
        latest = max((layer._losses_entry or 0 for layer in calls), default=None)
        added = [loss for layer in calls if layer._losses_entry == latest for loss in layer._losses]
        if not backends.current().is_symbolic:
            added = [loss for loss in added if not isinstance(loss, SpecArray)]
        computed = [function() for layer in layers for function in layer._loss_functions]
        return added + computed + [_penalty(w) for w in self.trainable_weights if w.regularizer is not None]

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Assign new values to variables, from inside ``call``, as in Keras 2.

        Args:
            updates: pair of a Variable and its new value, or list of such pairs.
            inputs: accepted for compatibility and ignored; default None.
        """
        for update in updates if isinstance(updates, list) else [updates]:
            if isinstance(update, tuple):
                update[0].assign(update[1])

    def add_metric(self, value: Any, name: str | None = None, aggregation: str | None = "mean") -> None:
        """Track a value from inside ``call``, as in Keras 2.

        Args:
            value: array of any shape, or symbolic tensor.
            name: str, name of the metric; default None, for the name of the value or of the layer.
            aggregation: "mean" for the mean over an epoch, or None for the last value; default "mean".
        """
        from polykeras import metrics

        own = self.__dict__.setdefault("_added_metrics", {})
        # An engine's own tensor has another name in each trace.
        name = name or (value.name if graph.is_symbol(value) else f"{self.name}_metric")
        if name not in own:
            own[name] = metrics.Mean(name=name)
        if aggregation is None:
            own[name].reset_state()
        own[name].update_state(value)

    @property
    def metrics(self) -> list:
        """The metrics of this layer and of the nested layers."""
        return unique(metric for layer in self._flatten_layers() for metric in layer._own_parts()[2])

    # -------------------------------------------------------------------- saving

    def save_assets(self, dir: str) -> None:
        """Write files that belong to the layer, such as a vocabulary; they become part of ``.keras`` files.

        Args:
            dir: str, path of the directory to write to.
        """

    def load_assets(self, dir: str) -> None:
        """Read the files that ``save_assets`` wrote.

        Args:
            dir: str, path of the directory.
        """

    # ------------------------------------------------------------------- configs

    def get_config(self) -> dict:
        """Return the dict from which ``from_config`` recreates the layer, without its weights.

        A subclass whose ``__init__`` takes further arguments must override this method, unless they are all plain
        values or objects with their own configs, which are recorded automatically.
        """
        config = {
            "name": self.name,
            "trainable": self._trainable,
            "dtype": dtype_policies.serialize(self._dtype_policies),
        }
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        shape = getattr(self, "_batch_input_shape", None)
        if shape is not None:
            config["batch_input_shape"] = shape
        caller = type(self).get_config is Layer.get_config and type(self).__init__ is not Layer.__init__
        return {**config, **self._remembered_arguments()} if caller else config

    def _remembered_arguments(self) -> dict:
        args, kwargs = self._init_arguments
        parameters = inspect.signature(type(self).__init__).parameters
        names = [p for p in list(parameters)[1:] if parameters[p].kind is parameters[p].POSITIONAL_OR_KEYWORD]
        arguments = {**dict(zip(names, args, strict=False)), **kwargs}
        return {k: registry.serialize(v) for k, v in arguments.items() if k not in ("name", "trainable", "dtype")}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create a layer from the result of ``get_config``.

        ``__init__`` need not take the arguments of the base class, such as ``name``.

        Args:
            config: dict, as ``get_config`` returns.
        """
        return making.make(cls, {key: registry.deserialize_known(value) for key, value in config.items()})

    # ------------------------------------------------------------ graph, display

    @property
    def dtype(self) -> str:
        """The dtype of the weights."""
        return self.variable_dtype

    @property
    def input_dtype(self) -> str:
        """The dtype that inputs are cast to."""
        return self.compute_dtype

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__} name={self.name}, built={self.built}>"

    def __getstate__(self) -> dict:
        # Nodes are pickled with the graphs of models, which own them; an InputLayer keeps its own.
        nodes = [node for node in self._inbound_nodes if node.is_input]
        updated: dict = {"_inbound_nodes": nodes, "_losses": [], "_accepted_inputs": {}, "_losses_entry": None}
        return {name: value for name, value in vars(self).copy().items() if name != "_torch_module"} | updated


def _parameters(cls: Any) -> list[str]:
    return [p for p in inspect.signature(cls.__init__).parameters if p not in ("self", "kwargs", "args")]


@functools.lru_cache(256)
def _names_after_self(method: Callable) -> tuple[str, ...]:
    return tuple(inspect.signature(method).parameters)[1:]


def _annotate(error: Any, layer: Layer) -> None:
    """Add a note to an error that names the innermost layer in which it was raised."""
    if not getattr(error, "_layer_path", None) and not isinstance(error, StopIteration):
        error._layer_path = context.path
        if repr(context.path)[1:-1] not in str(error):
            error.add_note(f"In the call of layer {context.path!r} ({type(layer).__name__}).")


@contextlib.contextmanager
def _place_of_build(name: str) -> Iterator[None]:
    """Context manager: the context inside the ``build`` of a layer, called by itself or by its ``__call__``."""
    before, context.is_building = context.is_building, True
    try:
        if context.path == name or context.path.endswith(f"/{name}"):
            yield
        else:
            with within(name), unscoped(name):
                yield
    finally:
        context.is_building = before


def _set_build(cls: type[Layer]) -> None:
    setattr(cls, "build", _scoped_build(cls.build))  # noqa: B010 - type checkers know a method


def _scoped_build(build: Callable) -> Callable:
    """Wrap a class's ``build`` to set the paths of weights, record the shapes, and set initial weights."""
    is_users = not build.__module__.startswith("polykeras.")

    @functools.wraps(build)
    def scoped(self: Layer, *args: Any, **kwargs: Any) -> None:
        if self._is_building:
            return build(self, *args, **kwargs)
        self._is_building = True
        with_values = outside_inference() if is_users else contextlib.nullcontext()
        try:
            with _place_of_build(self.name), with_values:
                self.path = context.path
                if is_users:
                    shown = [as_shown(shape, build) for shape in args]
                    build(self, *shown, **{name: as_shown(shape, build) for name, shape in kwargs.items()})
                else:
                    build(self, *map(plain, args), **plain(kwargs))
        finally:
            self._is_building = False
        self._adopt_all()
        self._freeze_new_weights()
        self._parts_came()
        self._build_shapes = plain({**dict(zip(_names_after_self(build), args, strict=False)), **kwargs})
        self.built = True
        if self._initial_weights is not None:
            self._replace_weights(self._initial_weights, Variable.set_initial)
            self._initial_weights = None

    return scoped


_set_build(Layer)
backends.join(Layer)


def _penalty(weight: Variable) -> Any:
    """Return what the regularizer of a weight adds to the loss."""
    if not penalties_are_symbolic or scope.values is not None or backends.current().is_symbolic:
        return inferred(weight.regularizer, weight.uncast)
    regularizer: Any = weight.regularizer
    return graph.record(lambda: regularizer(weight.array), (), {}, "regularizer")
