"""Engine settings that make reruns on the same machine give the same bits.

The order of summation depends on the number of an engine's threads, and on a GPU on scheduling. Where an engine
offers a choice, it is set to one fixed order; an operation without a deterministic implementation raises the
engine's own error, which names it.
"""

from __future__ import annotations

import os


def prepare() -> None:
    """Set the environment variables that engines read on import; variables that the user has set are kept."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    flags = os.environ.get("XLA_FLAGS", "")
    wanted = ("--xla_gpu_deterministic_ops=true", "--xla_cpu_multi_thread_eigen=false")
    missing = [flag for flag in wanted if flag.partition("=")[0] not in flags]
    os.environ["XLA_FLAGS"] = " ".join([flags, *missing]).strip()


def _numpy() -> None:
    import threadpoolctl

    threadpoolctl.threadpool_limits(1, "blas")  # NumPy is imported by now, too late for an environment variable


def _torch() -> None:
    import torch

    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    torch.set_num_threads(1)  # partial sums depend on the number of threads


def _tensorflow() -> None:
    import contextlib

    import tensorflow as tf

    tf.random.set_seed(0)  # otherwise TensorFlow's own random operations raise errors
    tf.config.experimental.enable_op_determinism()
    with contextlib.suppress(RuntimeError):  # its thread pool is already running
        tf.config.threading.set_intra_op_parallelism_threads(1)


_ENGINES = {"numpy": _numpy, "torch": _torch, "tensorflow": _tensorflow}


def settle(name: str) -> None:
    """Make a loaded engine deterministic; for engines not listed, ``prepare`` is enough."""
    if name in _ENGINES:
        _ENGINES[name]()
