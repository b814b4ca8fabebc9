"""``keras.tree``: nested lists, tuples and dicts as trees; unlike ``core.trees``, None is a leaf."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import optree


class MAP_TO_NONE:
    """What a function for ``traverse`` returns to put None in place of a part.

    >>> import polykeras as keras
    >>> keras.tree.traverse(lambda x: keras.tree.MAP_TO_NONE if x == 2 else None, [1, 2])
    [1, None]
    """


def is_nested(structure: Any) -> bool:
    """True for lists, tuples, dicts, and what else optree knows.

    Args:
        structure: list, tuple, dict, or leaf.

    >>> is_nested((1, 2)), is_nested(None)
    (True, False)
    """
    return not optree.tree_is_leaf(structure, none_is_leaf=True)


def flatten(structure: Any) -> list:
    """Return the leaves of a tree in order; those of a dict by sorted keys.

    Args:
        structure: list, tuple, dict, or leaf.

    >>> flatten([1, {"b": 2, "a": None}])
    [1, None, 2]
    """
    return optree.tree_leaves(structure, none_is_leaf=True)


def flatten_with_path(structure: Any) -> list[tuple[tuple, Any]]:
    """Return pairs of a path and a leaf.

    Args:
        structure: list, tuple, dict, or leaf.

    >>> flatten_with_path([{"a": 5}])
    [((0, 'a'), 5)]
    """
    paths, leaves, _ = optree.tree_flatten_with_path(structure, none_is_leaf=True)
    return list(zip(paths, leaves, strict=True))


def pack_sequence_as(structure: Any, flat_sequence: Iterable) -> Any:
    """Return a tree of a structure with other leaves.

    Args:
        structure: a tree, or a leaf.
        flat_sequence: as many leaves.

    Raises:
        TypeError: if they are no sequence.
        ValueError: for another number of them.

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
    """Return a tree of what a function makes of the leaves of trees of one structure.

    Args:
        func: of as many arguments as there are trees.
        *structures: trees.
        none_is_leaf: call the function for None too.

    Raises:
        TypeError: without a function or a tree.
        ValueError: for trees of other structures.

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
    """Return a tree of what a function makes of the parts of trees at the leaves of a shallower one.

    Args:
        shallow_structure: tree whose leaves end the search.
        func: function of the parts, one of each tree.
        *structures: trees that begin like the shallow one.

    Raises:
        TypeError: without a function or a tree.
        ValueError: for trees that don't start as the shallow one.

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
    """Return a tree of what a function makes of shapes: tuples and lists of ints and None.

    Args:
        func: function of a shape.
        structure: list, tuple, dict, or leaf.

    >>> map_shape_structure(len, {"x": (None, 3), "y": (2,)})
    {'x': 2, 'y': 1}
    """
    _check_callable(func)

    def is_shape(x: Any) -> Any:
        return isinstance(x, tuple | list) and all(isinstance(n, int | None) for n in x)

    return optree.tree_map(func, structure, is_leaf=is_shape, none_is_leaf=True)


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """Refuse trees of different structures; all kinds of dicts count as one.

    Args:
        a, b: trees.
        check_types: accepted for compatibility, without effect; default None.

    Raises:
        ValueError: naming where they differ.

    >>> assert_same_structure([1, (2,)], [3, (4,)])
    """
    _compare(a, b, ())


def _compare(a: Any, b: Any, path: tuple) -> None:
    keys = [_entries(x) for x in (a, b)]
    if _kind(a) is not _kind(b) or keys[0].keys() != keys[1].keys():
        raise ValueError(f"Expected two trees of one structure. Received, at path {path}: {a!r} and {b!r}.")
    for key, child in keys[0].items():
        _compare(child, keys[1][key], (*path, key))


def _kind(x: Any) -> type | None:
    """What two trees of one structure have in common; None for a value."""
    if isinstance(x, Mapping):
        return dict
    return type(x) if is_nested(x) else None


def _entries(x: Any) -> dict:
    """The parts of a tree by key."""
    if not is_nested(x):
        return {}
    children, _, entries, _ = optree.tree_flatten_one_level(x, none_is_leaf=True)
    return dict(zip(entries, children, strict=True))


def assert_same_paths(a: Any, b: Any) -> None:
    """Refuse trees whose leaves lie at different paths, whatever kinds of lists and dicts they are.

    Args:
        a, b: trees.

    Raises:
        ValueError: naming the paths that only one has.

    >>> assert_same_paths([0, 1], (2, 3))
    """
    first, second = ({path for path, _ in flatten_with_path(x)} for x in (a, b))
    if first != second:
        raise ValueError(
            f"Expected leaves at the same paths. Received: {sorted(map(str, first - second))[:8]} in the first only, "
            f"{sorted(map(str, second - first))[:8]} in the second only."
        )


def lists_to_tuples(structure: Any) -> Any:
    """Return a tree with tuples in place of lists.

    Args:
        structure: list, tuple, dict, or leaf.

    >>> lists_to_tuples([1, {"a": [2]}])
    (1, {'a': (2,)})
    """
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


def traverse(func: Callable, structure: Any, top_down: bool = True) -> Any:
    """Return a tree with parts replaced by what a function makes of them.

    Args:
        func: of a part: what to put in its place; None leaves it, ``MAP_TO_NONE`` puts None there.
        structure: a tree.
        top_down: begin with the whole, and leave alone what is inside of a part that was replaced;
            else begin with the leaves.

    Raises:
        TypeError: without a function.

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
