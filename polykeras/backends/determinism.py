"""What each engine is asked for, so that a rerun on one machine gives the same bits.

Sums in an engine's threads are taken in an order that depends on how many threads there are, and on
a GPU on who comes first. Where an engine lets one choose, it is told to keep to one order; an
operation that has no such order raises the engine's own error, which names it.
"""

from __future__ import annotations

import os


def prepare() -> None:
    """Set what engines read while they are imported; what the user set stays."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    flags = os.environ.get("XLA_FLAGS", "")
    wanted = ("--xla_gpu_deterministic_ops=true", "--xla_cpu_multi_thread_eigen=false")
    missing = [flag for flag in wanted if flag.partition("=")[0] not in flags]
    os.environ["XLA_FLAGS"] = " ".join([flags, *missing]).strip()


def _torch() -> None:
    import torch

    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    torch.set_num_threads(1)  # partial sums of several threads depend on their number


def _tensorflow() -> None:
    import contextlib

    import tensorflow as tf

    tf.random.set_seed(0)  # without it, TensorFlow refuses its own random operations
    tf.config.experimental.enable_op_determinism()
    with contextlib.suppress(RuntimeError):  # its threads are running already
        tf.config.threading.set_intra_op_parallelism_threads(1)


_ENGINES = {"torch": _torch, "tensorflow": _tensorflow}


def settle(name: str) -> None:
    """Make a loaded engine deterministic; others than these are so by what ``prepare`` set."""
    if name in _ENGINES:
        _ENGINES[name]()
