"""Random numbers that are the same on every backend.

There are two sources. Numbers drawn on the host (weights, shuffles, augmentation parameters) come from
NumPy's counter-based Philox generator (Salmon et al., "Parallel random numbers: as easy as 1, 2,
3", SC 2011), keyed by a hash. Numbers drawn inside a step (dropout, noise) come from the
backends' ``random_bits``, keyed by two hashed words.

A seed that the user did not give is drawn from one global stream, in the order of creation:
``set_seed`` at the top makes a program reproducible on every backend. Until it is called, seeds come from
Python's ``random`` as in Keras 3 (NumPy's in the era of Keras 2), so that ``random.seed`` works too.
"""

from __future__ import annotations

import random as python_random
import threading
from typing import Any, Self, cast

import numpy as np

from polykeras import backends
from polykeras.capture.stamp import Stamped
from polykeras.core.context import context
from polykeras.core.variables import Variable

_WORD = 0xFFFFFFFF
_lock = threading.Lock()
_global_seed: int | None = None  # None until ``set_seed``
_draws = 0
#: Whether unspecified seeds come from NumPy's global generator, as in Keras 2, instead of Python's.
asks_numpy = False


def set_seed(seed: int) -> None:
    """Restart the global stream of seeds.

    >>> set_seed(1); a = next_seed(); set_seed(1); a == next_seed()
    True
    """
    global _global_seed, _draws
    with _lock:
        _global_seed, _draws = int(seed), 0


def next_seed() -> int:
    """Draw a seed below 2**63 from the global stream."""
    global _draws
    with _lock:
        if _global_seed is None:
            return int(np.random.randint(1 << 31)) if asks_numpy else python_random.getrandbits(63)
        _draws += 1
        return digest("seed", _global_seed, _draws) >> 1


def state() -> tuple[int | None, Any]:
    """Return the position in the global stream, ready for JSON, for ``set_state`` to continue from."""
    if _global_seed is not None:
        return _global_seed, _draws
    if not asks_numpy:
        return None, python_random.getstate()
    kind, words, *rest = cast(Any, np.random.get_state())
    return None, (kind, tuple(words.tolist()), *rest)


def set_state(position: tuple[int | None, Any]) -> None:
    """Continue from a position that ``state`` returned."""
    global _global_seed, _draws
    with _lock:
        _global_seed, inner = position
        if _global_seed is not None:
            _draws = inner
        elif isinstance(inner[0], str):
            np.random.set_state(tuple(inner))
        else:
            version, words, gauss = inner
            python_random.setstate((version, tuple(words), gauss))


def digest(*parts: Any) -> int:
    """Return a 64-bit hash of ints and strings.

    >>> digest(1, "dropout") == digest(1, "dropout") != digest(2, "dropout")
    True
    """
    import hashlib  # slow to load

    data = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def host_generator(*key: Any) -> np.random.Generator:
    """Return a NumPy generator keyed by ints and strings.

    >>> host_generator(7, "weights").random() == host_generator(7, "weights").random()
    True
    """
    return np.random.Generator(np.random.Philox(key=np.array([digest("host", *key), digest(*key)], np.uint64)))


def _mix(x: int) -> int:
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = ((x ^ (x >> shift)) * factor) & _WORD
    return x ^ (x >> 16)


def _word(key: tuple[int, int], position: int) -> int:
    """One entry of ``random_bits``, in Python integers."""
    return _mix((_mix((position & _WORD) ^ key[0]) + key[1]) & _WORD)


class SeedGenerator(Stamped):
    """A stream of keys for random functions; each draw takes the next key.

    Args:
        seed: an int; None draws one from the global stream.
        name: prefix of the name of its state variable; default None.
        **kwargs: none are accepted.

    The position in the stream is a Variable: a layer that owns a generator draws new numbers in every
    step, compiled or not, and a saved model resumes where it stopped.

    Raises:
        TypeError: for unknown arguments.
        ValueError: if the seed is not a non-negative int.

    >>> import polykeras as keras
    >>> seeds = SeedGenerator(1337)
    >>> a = keras.random.uniform((3,), seed=seeds); b = keras.random.uniform((3,), seed=seeds)
    >>> bool((keras.ops.convert_to_numpy(a) != keras.ops.convert_to_numpy(b)).all())
    True
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        if kwargs:
            raise TypeError(f"Expected arguments (seed, name). Received: {sorted(kwargs)}.")
        if seed is not None and (not isinstance(seed, int | np.integer) or seed < 0):
            raise ValueError(f"Expected seed to be None or an int, at least 0. Received: {seed!r}.")
        self._drawn = seed is None
        self.reseed(next_seed() if seed is None else int(seed))
        self.name = name or "seed_generator"
        if context.owner is not None and not context.is_building:
            # A layer that a call makes and drops, as in Dropout(0.5)(x), counts its draws with the layer that makes it.
            self.state = context.owner._find_own_seeds().state
            return
        self.state = Variable(0, dtype="int32", trainable=False, name="seed_generator_state", on_host=True)
        self.state.counts_draws = True

    def next(self, ordered: bool = True) -> Any:
        """Return the next key as an array of two 32-bit words, of the type that the engine's own functions take.

        Args:
            ordered: for compatibility; default True.

        >>> SeedGenerator(1337).next().shape
        (2,)
        """
        backend, key = backends.current(), self.next_key()
        if isinstance(key[0], int):
            return backend.array(np.array(key, backend.seed_dtype))
        words = backend.concatenate([backend.reshape(word, (1,)) for word in key], 0)
        return backend.cast(backend.cast(words, "uint32"), backend.seed_dtype)

    def next_key(self) -> tuple:
        """Return the next key, two 32-bit words for ``random_bits``."""
        backend = backends.current()
        if backend.is_symbolic:
            self.state.put(None)  # shape inference only records that the step assigns it
            return 0, 0
        position = backend.concrete(self.state.array)
        self.state.assign(position + 1)
        if isinstance(position, int):
            return _word(self._key, 2 * position), _word(self._key, 2 * position + 1)
        return self._traced_key(backend, position)

    def _traced_key(self, backend: Any, position: Any) -> tuple:
        first, second = (word - (1 << 32) if word >> 31 else word for word in self._key)
        pair = backend.add(backend.multiply(position, 2), backend.arange(0, 2, 1, "int32"))
        bits = backend.mix_bits(backend.bitwise_xor(pair, first))
        bits = backend.mix_bits(backend.add(bits, second))
        return backend.getitem(bits, (0,)), backend.getitem(bits, (1,))

    def _named_parts(self) -> dict[str, Variable]:
        return {"state": self.state}

    def _serving_specs(self) -> tuple:
        return ()

    def get_config(self) -> dict:
        """Return the arguments of ``__init__``, ready for JSON."""
        return {"seed": None if self._drawn else self.seed}

    def save_own_variables(self, store: Any) -> None:
        """Write the seed and the position in the stream into a mapping.

        Args:
            store: mapping from names to NumPy arrays.
        """
        store["0"], store["1"] = self.state.numpy(), np.uint64(self.seed)

    def load_own_variables(self, store: Any) -> None:
        """Resume from the position that ``save_own_variables`` stored.

        Args:
            store: mapping from names to NumPy arrays.
        """
        self.state.assign(store["0"])
        self.reseed(int(store["1"]))

    def reseed(self, seed: int) -> None:
        """Change to the stream of another seed, at the same position."""
        self.seed = seed
        bits = digest("key", seed)
        self._key = bits & _WORD, bits >> 32

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Make a generator from ``get_config``.

        Args:
            config: dict, as ``get_config`` returns.
        """
        return cls(**config)


def key_of(seed: Any) -> tuple:
    """Return the key for a user's ``seed``: the next of a SeedGenerator, the key of an int, or a new one for None.

    Inside a layer's call a new key comes from the layer's own generator, whose position is a variable, so that a
    compiled step, which is traced only once, still draws new numbers in every run.
    """
    if seed is None and context.owner is not None:
        seed = context.owner._find_own_seeds()
    if isinstance(seed, SeedGenerator):
        return seed.next_key()
    if backends.current().is_symbolic:
        return 0, 0
    if isinstance(seed, tuple):
        return seed
    bits = digest("key", next_seed() if seed is None else int(seed))
    return bits & _WORD, bits >> 32


backends.join(SeedGenerator)
