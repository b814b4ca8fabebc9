"""Lists and dicts as ``tf.Module`` wraps them among its attributes, registered as trees too."""

from __future__ import annotations

from typing import Any

import optree
from optree.registry import __GLOBAL_NAMESPACE as EVERYWHERE
from tensorflow.python.trackable.data_structures import ListWrapper, _DictWrapper


def register() -> None:
    """Register the containers with optree."""
    optree.register_pytree_node(ListWrapper, _list_parts, _list_of, namespace=EVERYWHERE)
    optree.register_pytree_node(_DictWrapper, _dict_parts, _dict_of, namespace=EVERYWHERE)


def _list_parts(wrapper: Any) -> tuple:
    return list(wrapper), None


def _list_of(_: Any, values: Any) -> Any:
    return ListWrapper(list(values))


def _dict_parts(wrapper: Any) -> tuple:
    keys = sorted(wrapper)
    return [wrapper[key] for key in keys], keys, keys


def _dict_of(keys: Any, values: Any) -> Any:
    return _DictWrapper(dict(zip(keys, values, strict=True)))
