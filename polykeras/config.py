"""Global settings of a program: backend, float dtype, epsilon, image data format.

Settings come, in order of precedence, from the environment (``KERAS_BACKEND``), from
``$KERAS_HOME/keras.json`` (``~/.keras/keras.json``; read, never written), and from the
defaults. This module imports no framework.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

from polykeras.capture import stamp

_FLOATS = ("bfloat16", "float16", "float32", "float64")
_LAYOUTS = ("channels_last", "channels_first")
LAYOUTS_OF_KERAS_1 = {"tf": "channels_last", "th": "channels_first"}


def home() -> Path:
    """Return the directory of the user's settings: ``KERAS_HOME``, or else ``~/.keras``.

    >>> home().is_absolute()
    True
    """
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()


def _read_settings() -> dict:
    path = home() / "keras.json"
    try:
        settings = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ValueError(
            f'Expected {path} to contain a JSON object such as {{"backend": "jax"}}. '
            f"Received a file that can't be read: {error}. Fix or delete it."
        ) from None
    if not isinstance(settings, dict):
        raise ValueError(f"Expected {path} to contain a JSON object. Received: {settings!r}.")
    return settings


def _one_of(name: str, value: object, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"Expected {name} to be one of {choices}. Received: {value!r}.")
    return value


_settings = _read_settings()
_floatx = _one_of("floatx", _settings.get("floatx", "float32"), _FLOATS)
_epsilon = float(_settings.get("epsilon", 1e-7))
_image_data_format = _one_of("image_data_format", _settings.get("image_data_format", "channels_last"), _LAYOUTS)


def configured_backend() -> tuple[str | None, str]:
    """Return the backend that the user has configured, if any, and where.

    >>> name, source = configured_backend()
    """
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"], "the environment variable KERAS_BACKEND"
    if _settings.get("backend"):
        return _settings["backend"], str(home() / "keras.json")
    return None, "no setting"


def floatx() -> str:
    """Return the default float dtype, ``"float32"`` unless set.

    >>> floatx()
    'float32'
    """
    return _floatx


def set_floatx(value: str) -> None:
    """Set the default float dtype.

    Args:
        value: ``"bfloat16"``, ``"float16"``, ``"float32"`` or ``"float64"``.

    Raises:
        ValueError: for any other name.

    >>> set_floatx("float64"); floatx()
    'float64'
    >>> set_floatx("float32")
    """
    global _floatx
    _floatx = _one_of("floatx", value, _FLOATS)
    stamp.rise()


def epsilon() -> float:
    """Return the fuzz factor, a small constant that keeps divisions and logarithms finite.

    >>> epsilon()
    1e-07
    """
    return _epsilon


def set_epsilon(value: float) -> None:
    """Set the fuzz factor, a small constant that keeps divisions and logarithms finite.

    Args:
        value: float.

    >>> set_epsilon(1e-5); epsilon()
    1e-05
    >>> set_epsilon(1e-7)
    """
    global _epsilon
    _epsilon = float(value)
    stamp.rise()


def image_data_format() -> str:
    """Return the default image data format, ``"channels_last"`` unless set.

    >>> image_data_format()
    'channels_last'
    """
    return _image_data_format


def set_image_data_format(data_format: str) -> None:
    """Set the default image data format.

    Args:
        data_format: "channels_last" or "channels_first".

    Raises:
        ValueError: for any other name.

    >>> set_image_data_format("channels_first"); image_data_format()
    'channels_first'
    >>> set_image_data_format("channels_last")
    """
    global _image_data_format
    _image_data_format = _one_of("data_format", data_format, _LAYOUTS)
    stamp.rise()


def standardize_data_format(data_format: str | None) -> str:
    """Validate a data format; return the default one for None.

    Args:
        data_format: "channels_last", "channels_first" or None; or "tf", "th" or "default", their names in Keras 1.

    Raises:
        ValueError: for any other name.

    >>> standardize_data_format("channels_first"), standardize_data_format(None), standardize_data_format("th")
    ('channels_first', 'channels_last', 'channels_first')
    """
    if data_format in (None, "default"):
        return _image_data_format
    name = str(data_format).lower()
    return _one_of("data_format", LAYOUTS_OF_KERAS_1.get(name, name), _LAYOUTS)


_ERAS = ("keras2", "keras3")
_era = "keras3"


def era() -> str:
    """Return the version of Keras whose behavior applies where Keras 2 and Keras 3 differ.

    >>> era()
    'keras3'
    """
    return _era


def set_era(era: str) -> None:
    """Choose Keras 2 or Keras 3 where they differ: defaults, and names in logs, of layers and in files.

    The environment variable ``KERAS_ERA=2`` does the same at startup; ``python -m polykeras run`` does it
    automatically for scripts written for Keras 1 or 2. The guide "From Keras 2" lists the differences.

    Args:
        era: "keras2" (version 2.3.1) or "keras3", the default at startup. Existing objects don't change.

    Raises:
        ValueError: for any other name.

    >>> import polykeras as keras
    >>> set_era("keras2"); float(keras.optimizers.Adadelta().learning_rate)
    1.0
    >>> set_era("keras3"); round(float(keras.optimizers.Adadelta().learning_rate), 6)
    0.001
    """
    global _era
    era = _one_of("era", era, _ERAS)
    if era != _era:
        from polykeras.compat import eras

        eras.apply(era)
        _era = era
        stamp.rise()


def era_of_environment() -> str:
    """Return the era set by ``KERAS_ERA``: 2 or 3, or "keras2" or "keras3"; "keras3" if it is not set.

    Raises:
        ValueError: for anything else.

    >>> era_of_environment()
    'keras3'
    """
    name = os.environ.get("KERAS_ERA") or "3"
    return _one_of("KERAS_ERA", name if name.startswith("keras") else f"keras{name}", _ERAS)


def backend() -> str:
    """Return the name of the backend in use.

    >>> backend() in ("numpy", "tensorflow", "torch", "jax")
    True
    """
    from polykeras import backends

    return backends.outer_name()


def set_backend(backend: str) -> None:
    """Set the default backend, for models built from now on.

    Args:
        backend: "numpy", "tensorflow", "torch", "jax", or the name of a registered backend.

    Raises:
        ValueError: for an unknown name.
        ImportError: if its framework is not installed.

    >>> set_backend(backend())
    """
    from polykeras import backends

    backends.set_default(backend)


def dtype_policy() -> Any:
    """Return the global dtype policy; see ``polykeras.dtype_policies``.

    >>> dtype_policy().name
    'float32'
    """
    from polykeras import dtype_policies

    return dtype_policies.dtype_policy()


def set_dtype_policy(policy: Any) -> None:
    """Set the global dtype policy, which applies to layers created from now on.

    Args:
        policy: DTypePolicy, or a name such as ``"mixed_bfloat16"``.

    >>> set_dtype_policy("mixed_bfloat16"); dtype_policy().compute_dtype
    'bfloat16'
    >>> set_dtype_policy("float32")
    """
    from polykeras import dtype_policies

    dtype_policies.set_dtype_policy(policy)


def enable_unsafe_deserialization() -> None:
    """Allow loaded files to contain code for the rest of the program, as ``safe_mode=False`` does for one file."""
    from polykeras.serialization import registry

    registry.enable_unsafe_deserialization()


_is_interactive = True


def enable_interactive_logging() -> None:
    """Make ``verbose="auto"`` show a progress bar.

    >>> enable_interactive_logging(); is_interactive_logging_enabled()
    True
    """
    global _is_interactive
    _is_interactive = True


def disable_interactive_logging() -> None:
    """Make ``verbose="auto"`` print one line per epoch.

    >>> disable_interactive_logging(); is_interactive_logging_enabled()
    False
    >>> enable_interactive_logging()
    """
    global _is_interactive
    _is_interactive = False


def is_interactive_logging_enabled() -> bool:
    """Return whether ``verbose="auto"`` shows a progress bar, not one line per epoch.

    >>> enable_interactive_logging(); is_interactive_logging_enabled()
    True
    """
    return _is_interactive


def _limit(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"Expected {name} to be None or an int, at least 1. Received: {value!r}.")
    return value


def _limit_of_environment(name: str) -> int | None:
    text = os.environ.get(name)
    return _limit(name, int(text) if text and text.isdecimal() else text or None)


_max_epochs = _limit_of_environment("KERAS_MAX_EPOCHS")
_max_steps_per_epoch = _limit_of_environment("KERAS_MAX_STEPS_PER_EPOCH")


def max_epochs() -> int | None:
    """Return the maximum number of epochs of ``fit``, None for no limit; initially ``KERAS_MAX_EPOCHS``.

    >>> max_epochs() is None
    True
    """
    return _max_epochs


def set_max_epochs(max_epochs: int | None) -> None:
    """Limit the number of epochs of every ``fit``, to check quickly whether a program runs.

    Args:
        max_epochs: int, or None for no limit.

    >>> set_max_epochs(2); max_epochs()
    2
    >>> set_max_epochs(None)
    """
    global _max_epochs
    _max_epochs = _limit("max_epochs", max_epochs)


def max_steps_per_epoch() -> int | None:
    """Return the maximum number of batches per epoch, None for no limit; initially ``KERAS_MAX_STEPS_PER_EPOCH``.

    >>> max_steps_per_epoch() is None
    True
    """
    return _max_steps_per_epoch


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit the number of batches in every epoch of ``fit``, and in ``evaluate`` and ``predict``.

    Args:
        max_steps_per_epoch: int, or None for no limit.

    >>> set_max_steps_per_epoch(1); max_steps_per_epoch()
    1
    >>> set_max_steps_per_epoch(None)
    """
    global _max_steps_per_epoch
    _max_steps_per_epoch = _limit("max_steps_per_epoch", max_steps_per_epoch)


def limited_epochs(epochs: int) -> int:
    """Return ``epochs``, capped at ``max_epochs()`` with a warning.

    Args:
        epochs: int.

    >>> limited_epochs(5)
    5
    """
    limited = _limited("epochs", epochs, _max_epochs)
    return epochs if limited is None else limited


def limited_steps(steps: int | None) -> int | None:
    """Return ``steps``, capped at ``max_steps_per_epoch()`` with a warning.

    Args:
        steps: int, or None for all.

    >>> limited_steps(5), limited_steps(None)
    (5, None)
    """
    return _limited("steps_per_epoch", steps, _max_steps_per_epoch)


def _limited(name: str, value: int | None, limit: int | None) -> int | None:
    if limit is None or (value is not None and value <= limit):
        return value
    warnings.warn(f"Limiting {name} to {limit}, as set in polykeras.config.", stacklevel=4)
    return limit


_runs_eagerly = False


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Run the steps of every model eagerly, as ``compile(run_eagerly=True)`` does for one model.

    Args:
        run_eagerly: bool.

    >>> run_functions_eagerly(True); functions_run_eagerly()
    True
    >>> run_functions_eagerly(False)
    """
    global _runs_eagerly
    _runs_eagerly = bool(run_eagerly)
    stamp.rise()


def functions_run_eagerly() -> bool:
    """Return whether the steps of every model run eagerly.

    >>> functions_run_eagerly()
    False
    """
    return _runs_eagerly


_filters_tracebacks = True
_flash_attention: bool | None = None


def enable_traceback_filtering() -> None:
    """Omit this package's own frames from tracebacks, which is the default.

    >>> enable_traceback_filtering(); is_traceback_filtering_enabled()
    True
    """
    global _filters_tracebacks
    _filters_tracebacks = True


def disable_traceback_filtering() -> None:
    """Show all frames in tracebacks, to debug this package itself.

    >>> disable_traceback_filtering(); is_traceback_filtering_enabled()
    False
    >>> enable_traceback_filtering()
    """
    global _filters_tracebacks
    _filters_tracebacks = False


def is_traceback_filtering_enabled() -> bool:
    """Return whether tracebacks omit this package's own frames.

    >>> enable_traceback_filtering(); is_traceback_filtering_enabled()
    True
    """
    return _filters_tracebacks


_is_deterministic = os.environ.get("POLYKERAS_DETERMINISTIC", "0") not in ("", "0")


def enable_determinism() -> None:
    """Make reruns bitwise identical, on one backend and machine, at some cost in speed.

    Seeds are set separately, with ``keras.utils.set_random_seed``. Each engine sums in a fixed order, on one
    thread; an operation without a deterministic implementation raises the engine's own error, which names it.
    Prefer the environment variable ``POLYKERAS_DETERMINISTIC=1``, which does the same at startup: an engine that
    is already running may keep its number of threads.
    """
    global _is_deterministic
    from polykeras import backends

    _is_deterministic = True
    backends.make_deterministic()


def is_determinism_enabled() -> bool:
    """Return whether deterministic mode is enabled.

    >>> is_determinism_enabled() in (True, False)
    True
    """
    return _is_deterministic


def enable_flash_attention() -> None:
    """Let engines choose FlashAttention kernels, which is the default.

    >>> enable_flash_attention(); is_flash_attention_enabled() is not False
    True
    """
    global _flash_attention
    _flash_attention = None
    stamp.rise()


def disable_flash_attention() -> None:
    """Avoid FlashAttention in engines with several attention kernels, which is PyTorch.

    >>> disable_flash_attention(); is_flash_attention_enabled()
    False
    >>> enable_flash_attention()
    """
    global _flash_attention
    _flash_attention = False
    stamp.rise()


def is_flash_attention_enabled() -> bool | None:
    """Return False if FlashAttention is disabled, None if the engine chooses.

    >>> is_flash_attention_enabled() is None
    True
    """
    return _flash_attention


def is_nnx_enabled() -> bool:
    """Return whether variables are those of Flax NNX: always False.

    >>> is_nnx_enabled()
    False
    """
    return False
