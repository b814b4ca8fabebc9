"""Training on several GPUs, under its Keras 2 name."""

from __future__ import annotations

from typing import Any, NoReturn


def multi_gpu_model(model: Any, gpus: Any = None, cpu_merge: bool = True, cpu_relocation: bool = False) -> NoReturn:
    """Refuse: a model trains on one device.

    Args:
        model: a Model.
        gpus: int, or a list of device numbers; default None, for all.
        cpu_merge, cpu_relocation: of Keras 2, which are ignored.

    Raises:
        NotImplementedError: always.

    >>> import polykeras as keras
    >>> multi_gpu_model(keras.Sequential(), 2)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    NotImplementedError: ...
    """
    raise NotImplementedError(
        f"Model {model.name!r}: Expected to train on one device. Received: multi_gpu_model(gpus={gpus!r}), which Keras "
        "took away. polykeras spreads no model over devices yet; keras.distribution of real Keras does, on JAX."
    )
