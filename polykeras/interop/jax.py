"""Functions of JAX and Flax modules as layers."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polykeras import backends, random
from polykeras.core import dtypes, naming, trees
from polykeras.core.seeds import SeedGenerator
from polykeras.core.variables import Variable
from polykeras.interop.foreign_layer import ForeignLayer
from polykeras.serialization import registry


class JaxLayer(ForeignLayer):
    """Use a function of JAX as a layer, on the jax backend, or translated on the tensorflow backend.

    Args:
        call_fn: function of ``params``, ``state``, ``rng``, ``inputs`` and ``training``: all except
            ``inputs`` are optional, in any order, under these names. Returns the outputs, or
            with ``state`` (outputs, new state).
        init_fn: function of ``inputs``, and optionally ``rng`` and ``training``, that creates the parameters, or with
            ``state`` (parameters, state). Called when the layer is built, if ``params`` and ``state`` are not given.
        params: tree of the parameters, which are trained; default None.
        state: tree of other values; default None.
        seed: int, the seed for ``rng``; default None.
        native_serialization_platforms: list of the platforms for which code for TensorFlow is made; default None, for
            the current one.

    Raises:
        ValueError: for a function without these arguments, or without parameters; in a call, for a
            new state whose structure differs from ``state``.
        RuntimeError: on another backend.

    A config contains the functions by name: decorate them with ``register_keras_serializable``, so that models with
    this layer can be saved, and loaded by programs that have registered the same functions.
    """

    engine = "jax"
    other_engines = ("tensorflow",)
    _untracked = ForeignLayer._untracked | {"_trees", "_translated"}
    _arguments_of_call = ("params", "state", "rng", "inputs", "training")

    def __init__(
        self,
        call_fn: Callable,
        init_fn: Callable | None = None,
        params: Any = None,
        state: Any = None,
        seed: int | None = None,
        native_serialization_platforms: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.call_fn = call_fn
        self.init_fn = init_fn
        self.seed = seed
        self.native_serialization_platforms = native_serialization_platforms
        self.seed_generator = SeedGenerator(seed)
        self._takes = self._wanted("call_fn", call_fn, self._arguments_of_call)
        self._init_takes = [] if init_fn is None else self._wanted("init_fn", init_fn, ("rng", "inputs", "training"))
        self._trees: dict = {}
        self._translated: dict = {}
        is_given = params is not None or state is not None
        if is_given or not {"params", "state"} & set(self._takes):
            self._keep_trees(params, state)
        elif init_fn is None:
            raise ValueError(f"Layer {self.name!r}: Expected init_fn, params or state. Received: none of them.")

    def _wanted(self, name: str, function: Callable, known: tuple) -> list[str]:
        """Return which of the possible arguments a function takes."""
        if not callable(function):
            raise TypeError(f"Layer {self.name!r}: Expected `{name}` to be a function. Received: {function!r}.")
        taken = list(inspect.signature(function).parameters)
        unknown = [argument for argument in taken if argument not in known]
        if unknown or "inputs" not in taken:
            raise ValueError(
                f"Layer {self.name!r}: Expected `{name}` to take `inputs`, and maybe others of {known}. Received: a "
                f"function of {', '.join(f'`{argument}`' for argument in taken)}."
            )
        return taken

    def _keep_trees(self, params: Any, state: Any) -> None:
        """Create weights for the values in two trees; values that are not numbers are kept."""
        import jax

        for name, tree, trainable in (("params", params, True), ("state", state, False)):
            leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
            paths = ["".join(str(key) for key in path) or name for path, _ in leaves]
            kept = [self._to_weight(leaf, trainable, n) for n, (_, leaf) in zip(paths, leaves, strict=True)]
            self._trees[name] = kept, structure
        self.built = True

    def _to_weight(self, leaf: Any, trainable: bool, name: str) -> Any:
        if isinstance(leaf, int | float):
            leaf = np.asarray(leaf, dtypes.standardize(type(leaf).__name__))
        return self.keep(leaf, trainable, name) if hasattr(leaf, "dtype") else leaf

    def build(self, input_shape: Any) -> None:
        """Create the parameters with ``init_fn``."""
        if self._trees or self.init_fn is None:
            return
        import jax

        name = backends.current_name()
        backend = backends.load(backends.outer_name() if name == "spec" else name)
        with backends.use(backend.name), backend.outside_trace():
            seed = int(backend.to_numpy(self._draw()))
        with jax.ensure_compile_time_eval():

            def sized(shape: Any) -> Any:
                return jax.numpy.ones([n or 1 for n in shape], self.compute_dtype)

            def is_shape(x: Any) -> bool:
                return isinstance(x, list | tuple) and all(n is None or isinstance(n, int) for n in x)

            inputs = jax.tree_util.tree_map(sized, input_shape, is_leaf=is_shape)
            given = {"rng": jax.random.PRNGKey(seed), "inputs": inputs, "training": True}
            made = self.init_fn(*[given[name] for name in self._init_takes])
        with backends.use(backend.name):
            self._keep_trees(*(made if "state" in self._takes else (made, None)))

    def _draw(self) -> Any:
        return random.randint((), 0, 2**31 - 1, seed=self.seed_generator)

    def _tree(self, name: str, values: list | None = None) -> Any:
        import jax

        kept, structure = self._trees[name]
        remaining = iter(kept if values is None else values)
        leaves = [next(remaining) if isinstance(leaf, Variable) else leaf for leaf in kept]
        return jax.tree_util.tree_unflatten(structure, leaves)

    @property
    def params(self) -> Any:
        """The tree of the parameters, as Variables."""
        return self._tree("params") if self._trees else None

    @property
    def state(self) -> Any:
        """The tree of the other values, as Variables."""
        return self._tree("state") if self._trees else None

    def call(self, inputs: Any, training: bool = False) -> Any:
        weights = {name: self._weights_in(name) for name in self._trees}
        values = {name: [weight.array for weight in own] for name, own in weights.items()}
        seed = self._draw() if "rng" in self._takes else 0
        run: Callable = functools.partial(self._run_on_jax, training=bool(training))
        if backends.current_name() != self.engine:
            run = self._on_tensorflow(run, inputs, bool(training))
        outputs, updated = run(values, seed, inputs)
        if "state" in self._takes:
            for weight, value in zip(weights["state"], updated, strict=True):
                weight.assign(value)
        return outputs

    def _weights_in(self, name: str) -> list[Variable]:
        return [leaf for leaf in self._trees[name][0] if isinstance(leaf, Variable)]

    def _run_on_jax(self, values: dict, seed: Any, inputs: Any, training: bool) -> tuple:
        """Return the outputs, and the new values of the weights in the state."""
        import jax

        given = {name: self._tree(name, own) for name, own in values.items()}
        given |= {"inputs": inputs, "training": training, "rng": jax.random.PRNGKey(seed)}
        outputs = self.call_fn(*[given[name] for name in self._takes])
        if "state" not in self._takes:
            return outputs, []
        outputs, state = outputs
        leaves, structure = jax.tree_util.tree_flatten(state)
        kept, expected = self._trees["state"]
        if structure != expected:
            raise ValueError(
                f"Layer {self.path!r}: Expected call_fn to return a state of the structure {expected}. Received: "
                f"one of {structure}."
            )
        return outputs, [new for new, old in zip(leaves, kept, strict=True) if isinstance(old, Variable)]

    def _on_tensorflow(self, function: Callable, inputs: Any, training: bool) -> Callable:
        """Return a function of JAX as one of TensorFlow, for inputs with these unknown sizes."""
        from jax.experimental import jax2tf

        shapes = trees.map(lambda x: _polymorphic(tuple(x.shape)), inputs)
        key = training, str(shapes)
        if key not in self._translated:
            platforms = self.native_serialization_platforms
            self._translated[key] = jax2tf.convert(
                function, polymorphic_shapes=[None, None, shapes], native_serialization_platforms=platforms
            )
        return self._translated[key]

    def get_config(self) -> dict:
        platforms = self.native_serialization_platforms
        settings = {"seed": self.seed, "native_serialization_platforms": platforms}
        return {**super().get_config(), **self._described_code(), **settings}

    def _described_code(self) -> dict:
        """Return the arguments that are code, by the names under which a program registers it."""
        return {"call_fn": registry.serialize(self.call_fn), "init_fn": registry.serialize(self.init_fn)}


def _polymorphic(shape: tuple) -> str | None:
    """Return names for the unknown sizes of a shape, as JAX expects them: the same for all batch sizes."""
    if None not in shape:
        return None
    names = ["batch", *(f"size_{axis}" for axis in range(1, len(shape)))]
    return ", ".join(name if size is None else str(size) for size, name in zip(shape, names, strict=True))


class FlaxLayer(JaxLayer):
    """Use a ``flax.linen.Module`` as a layer, on the jax backend, or translated on the tensorflow backend.

    Args:
        module: the module. Its method takes ``inputs``, and optionally ``training``.
        method: str, the name of the method, or a function of the module; default None, for ``__call__``.
        variables: initial variables, as returned by ``module.init``; default None, which calls ``init`` on building.

    All collections except ``"params"`` are state. A config contains the module if its class has ``get_config`` and
    ``from_config`` and is decorated with ``register_keras_serializable``; otherwise ``get_config`` is refused.

    Raises:
        TypeError: for a module that holds its own parameters, like those of ``flax.nnx``.
        RuntimeError: on another backend.
    """

    _untracked = JaxLayer._untracked | {"module"}

    def __init__(self, module: Any, method: Any = None, variables: dict | None = None, **kwargs: Any) -> None:
        params, state = (None, None) if variables is None else self._split(variables)
        super().__init__(self._apply, self._init, params, state, **kwargs)
        self._check_is_linen(module)
        self.module, self.method = module, method
        function = getattr(module, method) if isinstance(method, str) else method or type(module).__call__
        self._has_training = "training" in inspect.signature(function).parameters

    @staticmethod
    def _check_is_linen(module: Any) -> None:
        if not (hasattr(module, "init") and hasattr(module, "apply")):
            raise TypeError(
                f"Expected a flax.linen.Module, with init and apply, for FlaxLayer. Received: "
                f"{naming.short(type(module))}. A module of flax.nnx goes into a JaxLayer: graph, params = "
                f"nnx.split(module), then JaxLayer(lambda params, inputs: nnx.merge(graph, params)(inputs), "
                f"params=params)."
            )

    @staticmethod
    def _split(variables: Any) -> tuple[dict, dict]:
        return variables.get("params", {}), {key: value for key, value in variables.items() if key != "params"}

    def _switch(self, training: bool) -> dict:
        return {"training": training} if self._has_training else {}

    def _init(self, rng: Any, inputs: Any, training: bool) -> tuple:
        return self._split(self.module.init(rng, inputs, method=self.method, **self._switch(training)))

    def _apply(self, params: Any, state: Any, rng: Any, inputs: Any, training: bool) -> tuple:
        import flax

        options = {"method": self.method, "mutable": flax.core.scope.DenyList(["params"]), "rngs": rng}
        return self.module.apply({"params": params, **state}, inputs, **options, **self._switch(training))

    def _described_code(self) -> dict:
        if not hasattr(self.module, "get_config"):
            raise NotImplementedError(
                f"Layer {self.name!r}: Expected a module with get_config, of a class that is decorated with "
                f"register_keras_serializable. Received: {naming.short(type(self.module))}. Add both, or build the "
                f"model in Python, and use model.save_weights and model.load_weights."
            )
        return {"module": registry.serialize(self.module), "method": registry.serialize(self.method)}
