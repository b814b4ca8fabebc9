"""The outputs of a model by index and by name, and trees with a value for each output."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from polykeras.core import naming, trees
from polykeras.losses.shapes import shape_of


class Outputs:
    """The paths of a model's outputs, in order, and their names.

    Args:
        y_pred: the outputs, a tree of anything with a shape.
        names: list of the outputs' names, if the model has any; the keys of a dict name themselves.
    """

    def __init__(self, y_pred: Any, names: list | None = None) -> None:
        self.structure = y_pred
        self.paths = list(_paths(y_pred))
        self._are_named = names is not None and len(names) == len(self.paths)
        if names is None or not self._are_named:
            names = [f"output_{index + 1}" for index in range(len(self.paths))]
        # Keys of dicts take precedence over the names of layers.
        keys = [path[-1] if path else None for path in self.paths]
        self.names = [key if isinstance(key, str) else name for key, name in zip(keys, names, strict=True)]
        self.are_several = len(self.paths) > 1

    def leaves(self, y_pred: Any) -> list:
        """Return the outputs in order."""
        return [trees.part_at(y_pred, path) for path in self.paths]

    def spread(self, tree: Any, argument: str, shared: bool = False) -> list:
        """Return the value for each output, in order; None where the tree has none.

        Args:
            tree: values in the structure of the outputs, a flat list, or a dict by name.
            argument: str, what the values are, for messages.
            shared: bool, whether a single value applies to all outputs.

        Raises:
            ValueError: for a wrong number of values or an unknown name.
        """
        if not self.are_several:
            return [self._only(tree, argument)]
        if tree is None or (shared and not is_tree(tree)):
            return [tree] * len(self.paths)
        if isinstance(tree, list | tuple) and len(tree) == len(self.paths):
            return list(tree)
        return self._spread(tree, self.structure, self.names, argument)

    def _only(self, tree: Any, argument: str) -> Any:
        """Return the value for the only output."""
        if not is_tree(tree):
            return tree
        if isinstance(tree, dict) and (self._are_named or trees.is_nested(self.structure)):
            self._check_names(tree, self.names, argument)
        if len(tree) != 1:
            raise ValueError(f"Expected {argument} for one output. Received {len(tree)}: {_brief(tree)}.")
        return next(iter(tree.values())) if isinstance(tree, dict) else tree[0]

    def _spread(self, tree: Any, node: Any, names: list, argument: str) -> list:
        if not trees.is_nested(node):
            return [tree]
        if tree is None:
            return [None] * len(names)
        children = node if isinstance(node, dict) else dict(enumerate(node))
        by_name: dict = {}
        if isinstance(tree, dict) and not is_config(tree):
            self._check_names(tree, [*children, *names], argument)
            parts, by_name = [tree.get(key) for key in children], tree
        elif isinstance(tree, list | tuple) and len(tree) == len(children):
            parts = list(tree)
        else:
            raise self._wrong_count(tree, names, argument)
        found: list = []
        for part, child in zip(parts, children.values(), strict=True):
            # The names of the outputs below this child, which follow those found so far.
            own = names[len(found) : len(found) + len(list(_paths(child)))]
            values = self._spread(part, child, own, argument)
            found += [by_name.get(name) if value is None else value for value, name in zip(values, own, strict=True)]
        return found

    def placed(self, tree: Any, argument: str) -> list[tuple[tuple, Any]]:
        """Return the values of a tree, each with the path of the output, or group of outputs, that it applies to.

        In addition to the forms of ``spread``, a value in place of a group of outputs applies to the whole group, and
        a list that does not match the outputs at its path holds several values for all of them.

        Args:
            tree: one value for every output; or a list, tuple or dict of values, with any nesting.
            argument: str, what the values are, for messages.

        Raises:
            ValueError: for a wrong number of values or an unknown name.

        >>> Outputs({"a": (1.0, 2.0), "b": 3.0}).placed({"a": ["whole", ("first", None)], "b": "last"}, "loss")
        [(('a',), 'whole'), (('a', 0), 'first'), (('b',), 'last')]
        """
        if not self.are_several:
            return list(self._placed(self._only(tree, argument), self.paths[0], argument))
        if not is_tree(tree):
            return [] if tree is None else [(path, tree) for path in self.paths]
        return list(self._placed(tree, (), argument))

    def _placed(self, tree: Any, path: tuple, argument: str) -> Iterator[tuple[tuple, Any]]:
        node, below = trees.part_at(self.structure, path), self.indices_below(path)
        if tree is None:
            return
        if not is_tree(tree):
            yield path, tree
        elif isinstance(tree, dict):
            for key, meant in self._keys(node, path, below, tree, argument):
                yield from self._placed(tree[key], meant, argument)
        # A flat list with one value per output below this path.
        elif len(tree) == len(below) and not any(map(is_tree, tree)):
            for index, part in zip(below, tree, strict=True):
                yield from self._placed(part, self.paths[index], argument)
        # A list with the structure of the outputs.
        elif trees.is_nested(node) and _is_by_part(tree, node):
            for key, part in zip(node, tree, strict=True) if isinstance(node, dict) else enumerate(tree):
                yield from self._placed(part, (*path, key), argument)
        elif trees.is_nested(node) and not any(map(is_tree, tree)):
            raise self._wrong_count(tree, [self.names[index] for index in below], argument)
        else:
            # Several values for the same output or group.
            for part in tree:
                yield from self._placed(part, path, argument)

    def _keys(self, node: Any, path: tuple, below: list, tree: dict, argument: str) -> Iterator[tuple[Any, tuple]]:
        """Yield the keys of a dict, in the order of the outputs, each with the path that it refers to."""
        children = [] if not trees.is_nested(node) else list(node if isinstance(node, dict) else range(len(node)))
        by_name = {self.names[index]: self.paths[index] for index in below}
        self._check_names(tree, [*children, *by_name], argument)
        meant = {**by_name, **{key: (*path, key) for key in children}}
        found = [(key, target) for key, target in meant.items() if key in tree]
        yield from sorted(found, key=lambda pair: self.indices_below(pair[1])[0])

    def indices_below(self, path: tuple) -> list[int]:
        """Return the indices of the outputs of a group; for a single output its own.

        >>> Outputs({"a": 1.0, "b": [2.0, 3.0]}).indices_below(("b",))
        [1, 2]
        """
        return [index for index, own in enumerate(self.paths) if own[: len(path)] == path]

    def name_of(self, path: tuple) -> str:
        """Return the name of an output or of a group, including the keys that lead to it.

        >>> outputs = Outputs({"a": 1.0, "b": [2.0, 3.0]}, ["x", "y", "z"])
        >>> outputs.name_of(("a",)), outputs.name_of(("b", 1)), outputs.name_of(("b",)), outputs.name_of(())
        ('a', 'b/z', 'b', 'a_y_z')
        """
        if path in self.paths:
            path = (*path[:-1], self.names[self.paths.index(path)])
        return "/".join(map(str, path)) or "_".join(map(str, self.names))

    def together(self, leaves: list, path: tuple) -> Any:
        """Return the values of a group of outputs, nested like the outputs; for a single output its value.

        >>> Outputs({"a": 1.0, "b": [2.0, 3.0]}).together(["p", "q", "r"], ("b",))
        ['q', 'r']
        """
        if path in self.paths:
            return leaves[self.paths.index(path)]
        node = trees.part_at(self.structure, path)
        if isinstance(node, dict):
            return {key: self.together(leaves, (*path, key)) for key in node}
        parts = [self.together(leaves, (*path, key)) for key in range(len(node))]
        return type(node)(*parts) if hasattr(node, "_fields") else type(node)(parts)

    def _wrong_count(self, tree: Any, names: list, argument: str) -> ValueError:
        received = f"{len(tree)}: {_brief(tree)}" if isinstance(tree, list | tuple) else _brief(tree)
        return ValueError(
            f"Expected {argument} for the {len(names)} outputs {naming.listed(names)}, as a list of that length or a "
            f"dict by name. Received {received}."
        )

    def _check_names(self, tree: dict, known: list, argument: str) -> None:
        unknown = [key for key in tree if key not in known]
        if unknown:
            near = difflib.get_close_matches(str(unknown[0]), map(str, known), 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"Expected {argument} by the names of the outputs, {naming.listed(self.names)}. Received: "
                f"{unknown[0]!r}.{hint}"
            )


def is_config(tree: Any) -> bool:
    return isinstance(tree, dict) and "class_name" in tree


def is_tree(tree: Any) -> bool:
    return trees.is_nested(tree) and not is_config(tree)


def _is_by_part(tree: Any, node: Any) -> bool:
    """Whether a list has an item for each part of a node, rather than several items for the whole node."""
    if len(tree) != len(node):
        return False
    parts = node.values() if isinstance(node, dict) else node
    are_alike = not isinstance(node, dict) and isinstance(tree, tuple) == isinstance(node, tuple)
    return are_alike or all(trees.is_nested(part) for part, own in zip(parts, tree, strict=True) if is_tree(own))


def _paths(tree: Any, path: tuple = ()) -> Iterator[tuple]:
    """Yield the path of each output; dict keys keep their order."""
    if not trees.is_nested(tree):
        yield path
        return
    for key, child in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield from _paths(child, (*path, key))


def _brief(tree: Any) -> str:
    """Describe a tree, with shapes in place of arrays."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key!r}: {_brief(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list | tuple):
        return "[" + ", ".join(map(_brief, tree)) + "]"
    return f"an array of shape {shape_of(tree)}" if hasattr(tree, "shape") else repr(tree)


def class_weights_in_order(class_weight: Any, names: list | None) -> Any:
    """Return class weights for each output, in the order of the outputs; those of a single output unchanged.

    Args:
        class_weight: dict from class to weight, or a dict of such dicts by output name.
        names: list of the outputs' names, if the model has any.

    Raises:
        ValueError: for an unknown name.

    >>> class_weights_in_order({"b": {0: 2.0}}, ["a", "b"])
    {'a': None, 'b': {0: 2.0}}
    """
    is_by_output = isinstance(class_weight, dict) and any(isinstance(own, dict) for own in class_weight.values())
    if not is_by_output or not names:
        return class_weight
    unknown = [key for key in class_weight if key not in names]
    if unknown:
        raise ValueError(
            f"Expected class_weight by the names of the outputs, {naming.listed(names)}. Received: {unknown[0]!r}."
        )
    return {name: class_weight.get(name) for name in names}
