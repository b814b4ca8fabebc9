"""A function of JAX, or a Flax module, as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Self

from polykeras import backends, random
from polykeras.core import naming
from polykeras.core.seeds import SeedGenerator
from polykeras.interop.foreign import ForeignLayer
from polykeras.serialization import registry


class JaxLayer(ForeignLayer):
    """Use a function of JAX as a layer, on the jax backend.

    Args:
        call_fn: function of ``params``, ``state``, ``rng``, ``inputs`` and ``training``: all but
            ``params`` and ``inputs`` only if it wants them, in any order, by these names. Returns the outputs, or
            with ``state`` (outputs, new state).
        init_fn: function of ``rng``, ``inputs`` and maybe ``training`` that makes the parameters, or with
            ``state`` (parameters, state). Called when the layer is built, without ``params`` or ``state``.
        params: tree of the parameters, which are trained.
        state: tree of other values.
        seed: an int for ``rng``.
        native_serialization_platforms: accepted for compatibility; it concerns other backends.

    Raises:
        ValueError: for a function without these arguments, or nothing to make parameters of.
        RuntimeError: on another backend.

    A config names the functions, which have to be registered: a file with it loads with ``safe_mode=False`` only.
    """

    engine = "jax"
    _untracked = ForeignLayer._untracked | {"_trees"}
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
        self.call_fn, self.init_fn, self.seed = call_fn, init_fn, seed
        self.native_serialization_platforms = native_serialization_platforms
        self.seed_generator = SeedGenerator(seed)
        self._takes = self._wanted(call_fn, self._arguments_of_call, ("params", "inputs"))
        self._trees: dict = {}
        if params is not None or state is not None:
            self._keep_trees(params, state)
        elif init_fn is None:
            raise ValueError(f"Layer {self.name!r}: Expected init_fn, params or state. Received: none of them.")

    def _wanted(self, function: Callable, names: tuple, required: tuple) -> list[str]:
        """The arguments that a function takes, of those that it may."""
        taken = list(inspect.signature(function).parameters)
        if not set(required) <= set(taken) <= set(names):
            raise ValueError(
                f"Layer {self.name!r}: Expected a function of {required}, and maybe of others of {names}. "
                f"Received: a function of {naming.listed(taken)}."
            )
        return taken

    def _keep_trees(self, params: Any, state: Any) -> None:
        import jax

        for name, tree, trainable in (("params", params, True), ("state", state, False)):
            leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
            places = ["".join(str(key) for key in path) or name for path, _ in leaves]
            weights = [self.keep(leaf, trainable, n) for n, (_, leaf) in zip(places, leaves, strict=True)]
            self._trees[name] = weights, structure
        self.built = True

    def build(self, input_shape: Any) -> None:
        """Make the parameters with ``init_fn``."""
        if self._trees:
            return
        import jax

        wanted = self._wanted(self.init_fn, ("rng", "inputs", "training"), ("rng", "inputs"))
        with backends.use(self.engine), jax.ensure_compile_time_eval():
            sized = lambda shape: jax.numpy.ones([n or 1 for n in shape], self.compute_dtype)  # noqa: E731
            is_shape = lambda x: isinstance(x, list | tuple) and all(n is None or isinstance(n, int) for n in x)  # noqa: E731
            inputs = jax.tree_util.tree_map(sized, input_shape, is_leaf=is_shape)
            given = {"rng": self._key(), "inputs": inputs, "training": True}
            made = self.init_fn(*[given[name] for name in wanted])
            self._keep_trees(*(made if "state" in self._takes else (made, None)))

    def _key(self) -> Any:
        import jax

        return jax.random.PRNGKey(random.randint((), 0, 2**31 - 1, seed=self.seed_generator))

    def _tree(self, name: str, of: Callable) -> Any:
        import jax

        weights, structure = self._trees[name]
        return jax.tree_util.tree_unflatten(structure, [of(weight) for weight in weights])

    def call(self, inputs: Any, training: bool = False) -> Any:
        import jax

        given = {name: self._tree(name, lambda weight: weight.value) for name in self._trees}
        given |= {"inputs": inputs, "training": bool(training)}
        if "rng" in self._takes:
            given["rng"] = self._key()
        outputs = self.call_fn(*[given[name] for name in self._takes])
        if "state" not in self._takes:
            return outputs
        outputs, state = outputs
        for weight, value in zip(self._trees["state"][0], jax.tree_util.tree_leaves(state), strict=True):
            weight.assign(value)
        return outputs

    def get_config(self) -> dict:
        functions = {"call_fn": registry.serialize(self.call_fn), "init_fn": registry.serialize(self.init_fn)}
        platforms = self.native_serialization_platforms
        return {**super().get_config(), **functions, "seed": self.seed, "native_serialization_platforms": platforms}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Make a layer from ``get_config``.

        Raises:
            ValueError: for a config out of a file, unless the caller allowed code by ``safe_mode=False``.
        """
        if registry.is_safe_mode():
            where = f"Layer {config.get('name')!r}"
            registry.refuse_unless_unsafe(where, "the names of functions of JAX", "Make the layer in Python.")
        return super().from_config(config)


class FlaxLayer(JaxLayer):
    """Use a ``flax.linen.Module`` as a layer, on the jax backend.

    Args:
        module: the module. Its method takes ``inputs``, and maybe ``training``.
        method: which one, or a function of the module; default ``__call__``.
        variables: what ``module.init`` returns, to begin with; default ``init`` when the layer is built.

    All collections but ``"params"`` are state. A config can't hold a module: it is refused.

    Raises:
        RuntimeError: on another backend.
    """

    _untracked = JaxLayer._untracked | {"module"}

    def __init__(self, module: Any, method: Any = None, variables: dict | None = None, **kwargs: Any) -> None:
        self.module, self.method = module, method
        function = getattr(module, method) if isinstance(method, str) else method or type(module).__call__
        self._has_training = "training" in inspect.signature(function).parameters
        params, state = (None, None) if variables is None else self._split(variables)
        super().__init__(self._apply, self._init, params, state, **kwargs)

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

    def get_config(self) -> dict:
        raise NotImplementedError(
            f"Layer {self.name!r}: Expected a layer whose config holds no code. Received: a FlaxLayer. Build the model "
            f"in Python, and use model.save_weights and model.load_weights; or write a class of your own that makes "
            f"the module, and decorate it with register_keras_serializable."
        )
