"""Models: stacks and graphs of layers, and users' own classes."""

from typing import TYPE_CHECKING

from polykeras.core import lazy
from polykeras.layers.core import Input, InputLayer  # noqa: F401 - Keras 1 and 2 show them here too
from polykeras.models.graph_configs import clone_model
from polykeras.models.model import Functional, Model
from polykeras.models.older import model_from_yaml
from polykeras.models.sequential import Sequential
from polykeras.serialization import registry

registry.add_family("models", {"Model": Model, "Functional": Functional, "Sequential": Sequential})
registry.add_family("layers", {"Model": Model, "Functional": Functional, "Sequential": Sequential})


def model_from_config(config: dict, custom_objects: dict | None = None) -> Model:
    """Return the model described by a result of ``registry.serialize``, with new weights.

    Args:
        config: dict.
        custom_objects: dict from names to classes or functions; default None.

    >>> import polykeras as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> keras.models.model_from_config(keras.saving.serialize_keras_object(model)).count_params()
    3
    """
    return registry.deserialize(config, custom_objects, family="models")


__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_config",
    "model_from_json",
    "model_from_yaml",
    "save_model",
]

if TYPE_CHECKING:  # the names below, for editors and type checkers
    from polykeras.saving import load_model as load_model
    from polykeras.saving import model_from_json as model_from_json
    from polykeras.saving import save_model as save_model
else:
    __getattr__, __dir__ = lazy.names(
        __name__, members={"polykeras.saving": ["load_model", "model_from_json", "save_model"]}
    )
