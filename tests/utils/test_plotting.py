"""Drawings of models: what graphviz is told, and the text where it is missing."""

import shutil

import pydot
import pytest

import polykeras as keras
from polykeras import layers

# The reader of pydot, not its writer, uses old names of pyparsing.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def stack():
    return keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, activation="relu", name="hidden"), layers.Dense(2, name="last")],
        name="stack",
    )


def nested():
    """Input "x" goes into a stack of two layers and into "side"; both are added."""
    x = keras.Input((3,), name="x")
    total = layers.Add(name="total")([stack()(x), layers.Dense(2, name="side", trainable=False)(x)])
    return keras.Model(x, [total, layers.ReLU(name="relu")(total)], name="net")


def parsed(graph):
    """Boxes with their labels, and edges, of a graph and its frames, as another reader of the text sees them."""
    pending, boxes, edges = pydot.graph_from_dot_data(graph.to_string()), {}, set()
    while pending:
        part = pending.pop()
        pending += part.get_subgraphs()
        boxes |= {n.get_name().strip('"'): n.get("label") for n in part.get_nodes() if n.get("label")}
        edges |= {(e.get_source().strip('"'), e.get_destination().strip('"')) for e in part.get_edges()}
    return boxes, edges


def test_each_layer_is_a_box_and_each_tensor_a_line():
    boxes, edges = parsed(keras.utils.model_to_dot(nested()))
    assert set(boxes) == {"x", "stack", "side", "total", "relu"}
    assert edges == {("x", "stack"), ("x", "side"), ("stack", "total"), ("side", "total"), ("total", "relu")}
    assert "<b>side</b> (Dense)" in boxes["side"] and "(None" not in boxes["side"]


def test_nested_models_are_frames_that_lines_go_into_and_out_of():
    graph = keras.utils.model_to_dot(nested(), expand_nested=True)
    boxes, edges = parsed(graph)
    assert set(boxes) == {"x", "stack/hidden", "stack/last", "side", "total", "relu"}
    assert {("x", "stack/hidden"), ("stack/hidden", "stack/last"), ("stack/last", "total")} <= edges
    assert [frame.get("label") for frame in graph.get_subgraphs()] == ['"stack"']


def test_each_option_adds_its_fact():
    def label(**options):
        return parsed(keras.utils.model_to_dot(nested(), expand_nested=True, **options))[0]

    shapes = label(show_shapes=True)["stack/hidden"]
    assert "input shape: (None, 3)" in shapes and "output shape: (None, 4)" in shapes
    assert "input shape: (None, 2), (None, 2)" in label(show_shapes=True)["total"]
    assert "output dtype: float32" in label(show_dtype=True)["total"]
    assert "activation: relu" in label(show_layer_activations=True)["stack/hidden"]
    trainable = label(show_trainable=True)
    assert ">frozen<" in trainable["side"] and ">trainable<" in trainable["stack/hidden"]
    assert "<b>Dense</b>" in label(show_layer_names=False)["side"]


def test_direction_resolution_and_lines_reach_graphviz():
    graph = keras.utils.model_to_dot(stack(), rankdir="LR", dpi=96, splines="curved")
    assert (graph.get("rankdir"), graph.get("dpi"), graph.get("splines")) == ("LR", 96, "curved")
    part = keras.utils.model_to_dot(stack(), subgraph=True)
    assert isinstance(part, pydot.Cluster) and part.get("label") == '"stack"'


def test_a_shared_layer_is_one_box_with_all_its_shapes():
    double = layers.Lambda(lambda x: x * 2.0, name="double")
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    boxes, edges = parsed(keras.utils.model_to_dot(keras.Model([a, b], [double(a), double(b)]), show_shapes=True))
    assert "input shape: (None, 2) / (None, 3)" in boxes["double"]
    assert edges == {("a", "double"), ("b", "double")}


def test_wrappers_name_the_layer_inside_and_odd_names_are_quoted():
    x = keras.Input((3, 2), name='in:put "1" <&>')
    boxes, edges = parsed(
        keras.utils.model_to_dot(keras.Model(x, layers.TimeDistributed(layers.Dense(1), name="td")(x)))
    )
    assert "TimeDistributed(Dense)" in boxes["td"] and len(boxes) == 2 and len(edges) == 1


def test_a_model_class_of_a_user_is_one_box_and_an_unbuilt_model_is_refused():
    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    model = Own()
    with pytest.raises(ValueError, match="'own': Expected a built model"):
        keras.utils.model_to_dot(model)
    model.build((None, 2))
    assert set(parsed(keras.utils.model_to_dot(model, expand_nested=True))[0]) == {"own"}


def test_without_graphviz_the_picture_is_text_with_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.warns(UserWarning, match="graphviz"):
        keras.utils.plot_model(nested(), tmp_path / "net.png", True, show_layer_names=True, expand_nested=True)
    assert not (tmp_path / "net.png").exists()
    lines = (tmp_path / "net.txt").read_text().splitlines()
    assert lines[:4] == [
        "net",
        "[1] x (InputLayer), output shape: (None, 3)",
        "stack:",
        "    [2] hidden (Dense) <- [1], input shape: (None, 3), output shape: (None, 4)",
    ]
    assert lines[6].startswith("[5] total (Add) <- [3], [4], input shape: (None, 2), (None, 2)")
    assert capsys.readouterr().out.splitlines() == lines


def test_graphviz_source_is_written_without_graphviz(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    keras.utils.plot_model(stack(), tmp_path / "net.dot")
    (graph,) = pydot.graph_from_dot_file(str(tmp_path / "net.dot"))
    assert len(graph.get_edges()) == 1


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_the_ending_of_the_file_says_the_format(tmp_path, ending, start, monkeypatch):
    path = tmp_path / f"net.{ending}"
    if shutil.which("dot") is None:  # what would be handed to graphviz
        written = []
        monkeypatch.setattr(shutil, "which", lambda program: "/usr/bin/dot")
        monkeypatch.setattr(pydot.Dot, "write", lambda self, to, format: written.append((to, format)))
        keras.utils.plot_model(stack(), path)
        assert written == [(str(path), ending)]
    else:
        keras.utils.plot_model(stack(), path)
        assert path.read_bytes().startswith(start)


def test_a_missing_pydot_is_named_with_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pydot", None)
    with pytest.raises(ImportError, match=r"polykeras\[charts\]"):
        keras.utils.model_to_dot(stack())
