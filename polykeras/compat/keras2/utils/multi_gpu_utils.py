"""Training on several GPUs, as Keras 2 named it."""

from __future__ import annotations

from typing import Any, NoReturn


def multi_gpu_model(model: Any, gpus: Any = None, cpu_merge: bool = True, cpu_relocation: bool = False) -> NoReturn:
    """Refuse: a model trains on one device.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError(
        f"Model {model.name!r}: Expected to train on one device. Received: multi_gpu_model(gpus={gpus!r}), which Keras "
        "took away. polykeras spreads no model over devices yet; keras.distribution of real Keras does, on JAX."
    )
