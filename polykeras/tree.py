"""``keras.tree``: functions on nested lists, tuples and dicts; unlike in ``core.trees``, None is a leaf."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import optree


class MAP_TO_NONE:
    """Marker that a function passed to ``traverse`` returns to replace a substructure by None.

    >>> import polykeras as keras
    >>> keras.tree.traverse(lambda x: keras.tree.MAP_TO_NONE if x == 2 else None, [1, 2])
    [1, None]
    """


def is_nested(structure: Any) -> bool:
    """Return whether a structure is nested: a list, tuple, dict or other container known to optree.

    Args:
        structure: list, tuple, dict, or leaf.

    >>> is_nested((1, 2)), is_nested(None)
    (True, False)
    """
    return not optree.tree_is_leaf(structure, none_is_leaf=True)


def flatten(structure: Any) -> list:
    """Return the leaves of a structure in order; those of a dict by sorted key.

    Args:
        structure: list, tuple, dict, or leaf.

    >>> flatten([1, {"b": 2, "a": None}])
    [1, None, 2]
    """
    return optree.tree_leaves(structure, none_is_leaf=True)


def flatten_with_path(structure: Any) -> list[tuple[tuple, Any]]:
    """Return pairs of path and leaf.

    Args:
        structure: list, tuple, dict, or leaf.

    >>> flatten_with_path([{"a": 5}])
    [((0, 'a'), 5)]
    """
    paths, leaves, _ = optree.tree_flatten_with_path(structure, none_is_leaf=True)
    return list(zip(paths, leaves, strict=True))


def pack_sequence_as(structure: Any, flat_sequence: Iterable) -> Any:
    """Pack a flat sequence of leaves into a given structure.

    Args:
        structure: list, tuple, dict, or leaf.
        flat_sequence: iterable of as many leaves as the structure has.

    Raises:
        TypeError: if ``flat_sequence`` is not iterable.
        ValueError: if the number of leaves differs.

    >>> pack_sequence_as((0, [0]), ["a", "b"])
    ('a', ['b'])
    """
    if not isinstance(flat_sequence, Iterable):
        raise TypeError(f"Expected a sequence of leaves. Received: {flat_sequence!r}.")
    leaves, spec = list(flat_sequence), optree.tree_structure(structure, none_is_leaf=True)
    if len(leaves) != spec.num_leaves:
        raise ValueError(f"Expected {spec.num_leaves} leaves, for {structure!r}. Received: {len(leaves)}.")
    return optree.tree_unflatten(spec, leaves)


def map_structure(func: Callable, *structures: Any, none_is_leaf: bool = True) -> Any:
    """Map a function over the leaves of one or more equal structures, into a new structure.

    Args:
        func: callable with as many arguments as there are structures.
        *structures: structures that differ in their leaves only.
        none_is_leaf: whether to call the function on None too; default True.

    Raises:
        TypeError: if ``func`` is not callable, or without a structure.
        ValueError: if the structures differ.

    >>> map_structure(lambda x, y: x + y, [1, (2,)], [10, (20,)])
    [11, (22,)]
    """
    _check_callable(func)
    if not structures:
        raise TypeError("Expected at least one structure. Received: none.")
    for other in structures[1:]:
        assert_same_structure(structures[0], other)
    return optree.tree_map(func, *structures, none_is_leaf=none_is_leaf)


def map_structure_up_to(shallow_structure: Any, func: Callable, *structures: Any) -> Any:
    """Map a function over substructures: those at the leaves of a shallower structure.

    Args:
        shallow_structure: structure whose leaves mark the substructures to map over.
        func: callable with as many arguments as there are structures.
        *structures: structures with ``shallow_structure`` as their upper levels.

    Raises:
        TypeError: if ``func`` is not callable, or without a structure.
        ValueError: if a structure does not match ``shallow_structure``.

    >>> map_structure_up_to([0, 0], len, [[1], [2, 3]])
    [1, 2]
    """
    _check_callable(func)
    if not structures:
        raise TypeError("Expected at least one structure. Received: none.")
    spec = optree.tree_structure(shallow_structure, none_is_leaf=True)
    columns = [spec.flatten_up_to(structure) for structure in structures]
    return optree.tree_unflatten(spec, [func(*parts) for parts in zip(*columns, strict=True)])


def map_shape_structure(func: Callable, structure: Any) -> Any:
    """Map a function over the shapes in a structure: its tuples and lists of ints and None.

    Args:
        func: callable that takes a shape.
        structure: list, tuple, dict, or leaf.

    >>> map_shape_structure(len, {"x": (None, 3), "y": (2,)})
    {'x': 2, 'y': 1}
    """
    _check_callable(func)

    def is_shape(x: Any) -> Any:
        return isinstance(x, tuple | list) and all(isinstance(n, int | None) for n in x)

    return optree.tree_map(func, structure, is_leaf=is_shape, none_is_leaf=True)


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """Check that two structures are the same, whatever their leaves and their kinds of dicts.

    Args:
        a, b: structures.
        check_types: accepted for compatibility, without effect; default None.

    Raises:
        ValueError: if they differ; the message gives the path.

    >>> assert_same_structure([1, (2,)], [3, (4,)])
    """
    _compare(a, b, ())


def _compare(a: Any, b: Any, path: tuple) -> None:
    keys = [_entries(x) for x in (a, b)]
    if _kind(a) is not _kind(b) or keys[0].keys() != keys[1].keys():
        raise ValueError(f"Expected two equal structures. Received, at path {path}: {a!r} and {b!r}.")
    for key, child in keys[0].items():
        _compare(child, keys[1][key], (*path, key))


def _kind(x: Any) -> type | None:
    """Return the type of container that equal structures have in common; None for a leaf."""
    if isinstance(x, Mapping):
        return dict
    return type(x) if is_nested(x) else None


def _entries(x: Any) -> dict:
    """Return the children of a structure by key."""
    if not is_nested(x):
        return {}
    children, _, entries, _ = optree.tree_flatten_one_level(x, none_is_leaf=True)
    return dict(zip(entries, children, strict=True))


def assert_same_paths(a: Any, b: Any) -> None:
    """Check that two structures have leaves at the same paths, whatever their types of containers.

    Args:
        a, b: structures.

    Raises:
        ValueError: if they don't; the message lists the paths that only one of them has.

    >>> assert_same_paths([0, 1], (2, 3))
    """
    first, second = ({path for path, _ in flatten_with_path(x)} for x in (a, b))
    if first != second:
        raise ValueError(
            f"Expected leaves at the same paths. Received: {sorted(map(str, first - second))[:8]} in the first only, "
            f"{sorted(map(str, second - first))[:8]} in the second only."
        )


def lists_to_tuples(structure: Any) -> Any:
    """Return a structure with tuples in place of lists.

    Args:
        structure: list, tuple, dict, or leaf.

    >>> lists_to_tuples([1, {"a": [2]}])
    (1, {'a': (2,)})
    """
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


def traverse(func: Callable, structure: Any, top_down: bool = True) -> Any:
    """Return a structure with substructures replaced by the results of a function.

    Args:
        func: callable that takes a substructure or leaf and returns its replacement; None to keep it,
            ``MAP_TO_NONE`` to replace it by None.
        structure: list, tuple, dict, or leaf.
        top_down: whether to start with the whole structure, and not to enter replaced substructures; otherwise
            starts with the leaves; default True.

    Raises:
        TypeError: if ``func`` is not callable.

    >>> traverse(lambda x: sum(x) if isinstance(x, tuple) else None, [(1, 2), [3]])
    [3, [3]]
    """
    _check_callable(func)
    result = func(structure) if top_down else None
    if result is None:
        result = structure
        if is_nested(structure):
            children, metadata, _, unflatten = optree.tree_flatten_one_level(structure, none_is_leaf=True)
            result = unflatten(metadata, [traverse(func, child, top_down) for child in children])
        changed = None if top_down else func(result)
        result = result if changed is None else changed
    return None if result is MAP_TO_NONE else result


def _check_callable(func: Any) -> None:
    if not callable(func):
        raise TypeError(f"Expected a function. Received: {func!r}.")
