"""keras.tree against real Keras's, and its refusals."""

import collections

import pytest

from polykeras import backends, tree

Point = collections.namedtuple("Point", "x y")
TREES = [
    5,
    None,
    [],
    [1, (2, None), {"b": 3, "a": [4]}],
    collections.OrderedDict([("b", 1), ("a", 2)]),
    Point(1, [2, 3]),
    collections.deque([1, [2]]),
    {"k": {"x": (1, 2)}},
]


@pytest.mark.parametrize("structure", TREES, ids=repr)
def test_trees_are_taken_apart_and_put_together_as_by_real_keras(real_keras, structure):
    real = real_keras.tree
    assert tree.flatten(structure) == real.flatten(structure)
    assert tree.flatten_with_path(structure) == real.flatten_with_path(structure)
    assert tree.is_nested(structure) == real.is_nested(structure)
    assert tree.lists_to_tuples(structure) == real.lists_to_tuples(structure)
    leaves = [str(x) for x in tree.flatten(structure)]
    assert tree.pack_sequence_as(structure, leaves) == real.pack_sequence_as(structure, leaves)
    assert tree.map_structure(str, structure) == real.map_structure(str, structure)
    for top_down in (True, False):
        for module, seen in ((tree, ours := []), (real, theirs := [])):
            module.traverse(seen.append, structure, top_down)
        assert ours == theirs
        swap = lambda m: lambda x: m.MAP_TO_NONE if x == 1 else "two" if x == 2 else None  # noqa: E731
        assert tree.traverse(swap(tree), structure, top_down) == real.traverse(swap(real), structure, top_down)


def test_trees_are_compared_as_by_real_keras(real_keras):
    for a in TREES:
        for b in [*TREES, [1, [2, None], {"b": 3, "a": [4]}], {"b": 0, "a": 0}, Point(0, [0, 0]), (1, (2,))]:
            for name in ("assert_same_structure", "assert_same_paths"):
                verdicts = []
                for module in (tree, real_keras.tree):
                    try:
                        getattr(module, name)(a, b)
                        verdicts.append(True)
                    except ValueError:
                        verdicts.append(False)
                assert verdicts[0] == verdicts[1], (name, a, b)


def test_several_trees_and_shapes_are_mapped():
    assert tree.map_structure(lambda x, y: x * y, {"a": [2, 3]}, {"a": [4, 5]}) == {"a": [8, 15]}
    assert tree.map_structure(lambda x: 1, [None, 2], none_is_leaf=False) == [None, 1]
    assert tree.map_structure_up_to([None, [None, None]], str, [[1, 1], [2, 2]]) == ["[1, 1]", ["2", "2"]]
    assert tree.map_shape_structure(tuple, [[None, 3], {"a": (1, 2)}]) == [(None, 3), {"a": (1, 2)}]


@pytest.mark.parametrize(
    "call, error",
    [
        (lambda: tree.map_structure(3, [1]), TypeError),
        (lambda: tree.map_structure(str), TypeError),
        (lambda: tree.map_structure(max, [1], (1,)), ValueError),
        (lambda: tree.map_structure_up_to([0, 0], str, [1]), ValueError),
        (lambda: tree.pack_sequence_as([1, 2], [1]), ValueError),
        (lambda: tree.pack_sequence_as([1], 3), TypeError),
    ],
)
def test_what_does_not_fit_is_refused(call, error):
    with pytest.raises(error):
        call()


def test_lists_and_dicts_that_tensorflow_tracks_are_trees():
    tf = pytest.importorskip("tensorflow")
    backends.load("tensorflow")
    module = tf.Module()
    module.list, module.dict = [1, 2], {"b": 4, "a": 3}
    assert tree.is_nested(module.list) and tree.is_nested(module.dict)
    assert tree.flatten([module.list, module.dict]) == [1, 2, 3, 4]
    doubled = tree.map_structure(lambda x: 2 * x, {"x": module.list, "y": module.dict})
    assert doubled == {"x": [2, 4], "y": {"a": 6, "b": 8}}
    assert type(doubled["x"]) is type(module.list) and type(doubled["y"]) is type(module.dict)
