"""Training on several GPUs, under its Keras 2 name."""

from __future__ import annotations

from typing import Any, NoReturn


def multi_gpu_model(model: Any, gpus: Any = None, cpu_merge: bool = True, cpu_relocation: bool = False) -> NoReturn:
    """Refuse: Keras 3 trains on several devices by ``keras.distribution``.

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
        f"Model {model.name!r}: Expected keras.distribution for several devices. Received: "
        f"multi_gpu_model(gpus={gpus!r}), which Keras took away. On the JAX backend, call "
        "keras.distribution.set_distribution(keras.distribution.DataParallel()) before the model is made."
    )
