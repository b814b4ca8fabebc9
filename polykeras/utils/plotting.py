"""Drawings of models, as Graphviz graphs, or as text if Graphviz is missing."""

from __future__ import annotations

import html
import importlib.util
import re
import shutil
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polykeras.core.extras import require
from polykeras.core.graph import OpCall
from polykeras.core.renamed import ordered_by_era
from polykeras.layers import Layer, Wrapper
from polykeras.models import Model, Sequential

_HEAD_COLOR, _TRAINABLE_COLOR, _FROZEN_COLOR = "#243447", "#dff0d8", "#f2dede"


@dataclass(frozen=True)
class _Style:
    """Which properties of a layer its box shows."""

    show_shapes: bool = False
    show_dtype: bool = False
    show_layer_names: bool = True
    show_layer_activations: bool = False
    show_trainable: bool = False


@ordered_by_era
def model_to_dot(
    model: Model,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> Any:
    """Convert a model to a Graphviz graph, a ``pydot.Dot``.

    Args:
        model: a built model; a subclassed model with its own ``call`` is a single box.
        show_shapes, show_dtype: bools, whether to show the shapes of inputs and outputs, and the dtype of outputs;
            default False.
        show_layer_names: bool, whether to show the names of layers along with their classes; default True.
        rankdir: direction, ``"TB"`` for top to bottom or ``"LR"`` for left to right; default "TB".
        expand_nested: bool, whether to draw the layers of nested models, in frames; default False.
        dpi: int, dots per inch of images; default 200.
        subgraph: bool, whether to return a ``pydot.Cluster``, to be added to another graph; default False.
        show_layer_activations: bool, whether to show the activations; default False.
        show_trainable: bool, whether to show which layers are trainable; default False.
        splines: style of lines: ``"ortho"``, ``"curved"``, ``"polyline"``, ``"spline"`` or ``"line"``; default "ortho".

    Raises:
        ImportError: if pydot is not installed.
        ValueError: if the model is not built.

    >>> import polykeras as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(1)])
    >>> graph = keras.utils.model_to_dot(model, show_shapes=True)
    >>> len(graph.get_nodes()), len(graph.get_edges())
    (3, 1)
    """
    style = _Style(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
    return _graph(Drawing(model, expand_nested), style, rankdir, dpi, splines, subgraph)


@ordered_by_era
def plot_model(
    model: Model,
    to_file: str | Path | None = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> Any:
    """Draw a model to a file.

    If pydot or Graphviz's program ``dot`` is missing, there is a warning, and the drawing is text instead: it is
    printed, and written to the file with the suffix ``.txt``.

    Args:
        model: a built model.
        to_file: path; the suffix determines the format, such as ``.png`` (also if there is none), ``.svg``, ``.pdf``,
            or ``.dot`` for Graphviz source; None to only print text; default "model.png".
        show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi, show_layer_activations,
            show_trainable, splines: as for ``model_to_dot``; defaults "TB" and 200.

    Returns:
        The image in a notebook, otherwise None.

    Raises:
        ValueError: if the model is not built.

    >>> import polykeras as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="out")], name="line")
    >>> keras.utils.plot_model(model, to_file=None, show_layer_names=True, show_shapes=True)
    line
    [1] out (Dense), input shape: (None, 3), output shape: (None, 1)
    """
    style = _Style(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
    drawing = Drawing(model, expand_nested)
    if to_file is None:
        print(_text(drawing, style))
        return None
    path = Path(to_file)
    kind = path.suffix.lower().removeprefix(".") or "png"
    is_source = kind in ("dot", "gv")
    missing = _missing_tool(is_source)
    if missing:
        _write_text(path.with_suffix(".txt"), _text(drawing, style), missing)
        return None
    graph = _graph(drawing, style, rankdir, dpi, splines)
    graph.write(str(path), format="raw" if is_source else kind)
    return _picture(path, kind)


def _missing_tool(is_source: bool) -> str | None:
    """The name of the missing tool, if any; Graphviz source only requires pydot."""
    if importlib.util.find_spec("pydot") is None:
        return "pydot (pip install 'polykeras[charts]')"
    if not is_source and shutil.which("dot") is None:
        return "graphviz (its program 'dot'; see graphviz.org/download)"
    return None


def _write_text(path: Path, text: str, missing: str) -> None:
    warnings.warn(
        f"Expected {missing} for an image of the model. Received: not installed. {path} shows the model as text.",
        stacklevel=3,
    )
    path.write_text(text + "\n", encoding="utf-8")
    print(text)


def _picture(path: Path, kind: str) -> Any:
    """The image for display in a notebook."""
    if "IPython" not in sys.modules or sys.modules["IPython"].get_ipython() is None:
        return None
    from IPython import display

    if kind == "svg":
        return display.SVG(str(path))
    return display.Image(str(path)) if kind in ("png", "jpg", "jpeg", "gif") else None


class Drawing:
    """The boxes of a model and the lines between them.

    Attributes:
        members: dict from paths to operations, or to drawings of nested models.
        edges: pairs of paths of boxes.
        entries: for each input of the model, the paths of the boxes that take it.
        exits: for each output of the model, the path of the box that computes it.
    """

    def __init__(self, model: Model, expand_nested: bool, prefix: str = "") -> None:
        if not model.built and not model.weights:
            raise ValueError(
                f"Model {model.name!r}: Expected a built model to draw. Received: one without weights yet. Call it "
                f"on data, or call build(input_shape)."
            )
        self.model, self._prefix = model, prefix
        is_graph = model._graph_plan is not None
        self._nodes = model._graph_nodes if is_graph else []
        operations: Sequence[Layer] = [model]
        if is_graph:
            operations = model.layers if isinstance(model, Sequential) else model._layers_in_graph
        self.members: dict[str, Any] = {}
        for operation in operations:
            path = self._path(operation)
            if expand_nested and isinstance(operation, Model) and operation._graph_plan is not None:
                self.members[path] = Drawing(operation, True, f"{path}/")
            else:
                self.members[path] = operation
        edges = [
            (self._exit(x), entry)
            for node in self._nodes
            for index, x in enumerate(node.inputs)
            for entry in self._entries(node, index)
        ]
        self.edges = [(source, target) for source, target in dict.fromkeys(edges) if source]
        self.exits = [self._exit(x) for x in model.outputs] if is_graph else []
        self.entries = [self._first(x) for x in model.inputs] if is_graph else []

    def _path(self, operation: Any) -> str:
        return self._prefix + operation.name

    def _exit(self, tensor: Any) -> str | None:
        """The box that computes a tensor; None for the hidden input of a Sequential model."""
        path = self._path(tensor.maker.operation)
        member = self.members.get(path)
        if isinstance(member, Drawing):
            return member.exits[tensor.index]
        return path if member is not None else None

    def _entries(self, node: Any, index: int) -> list[str]:
        """The boxes that take an input of a call."""
        path = self._path(node.operation)
        member = self.members[path]
        return member.entries[index] if isinstance(member, Drawing) else [path]

    def _first(self, tensor: Any) -> list[str]:
        """The box of an input, or, if it has none, the boxes that take it."""
        path = self._exit(tensor)
        if path:
            return [path]
        uses = [(node, index) for node in self._nodes for index, x in enumerate(node.inputs) if x is tensor]
        return [entry for node, index in uses for entry in self._entries(node, index)]

    def boxes(self) -> Iterator[tuple[str, Any]]:
        """Yield (path, operation) of each box, including those of nested models."""
        for path, member in self.members.items():
            if isinstance(member, Drawing):
                yield from member.boxes()
            else:
                yield path, member

    def sources(self) -> dict[str, list[str]]:
        """Return for each box its input boxes, including those of nested models."""
        found: dict[str, list[str]] = {}
        for source, target in self.edges:
            found.setdefault(target, []).append(source)
        for member in self.members.values():
            if isinstance(member, Drawing):
                for target, sources in member.sources().items():
                    found.setdefault(target, []).extend(sources)
        return found


def _graph(drawing: Drawing, style: _Style, rankdir: str, dpi: int, splines: str, is_subgraph: bool = False) -> Any:
    pydot = require("pydot", "charts", "model_to_dot")
    if is_subgraph:
        graph = _frame(pydot, drawing.model.name, drawing.model.name)
    else:
        graph = pydot.Dot("model", graph_type="digraph", rankdir=rankdir, dpi=dpi, splines=splines, concentrate=True)
        graph.set_node_defaults(shape="plain", fontname="Helvetica")
    _fill(pydot, graph, drawing, style)
    return graph


def _fill(pydot: Any, graph: Any, drawing: Drawing, style: _Style) -> None:
    """Add boxes, frames and lines to a graph."""
    for path, member in drawing.members.items():
        if isinstance(member, Drawing):
            frame = _frame(pydot, path, member.model.name)
            _fill(pydot, frame, member, style)
            graph.add_subgraph(frame)
        else:
            graph.add_node(pydot.Node(_quoted(path), label=_label(drawing, member, style)))
    for source, target in drawing.edges:
        graph.add_edge(pydot.Edge(_quoted(source), _quoted(target)))


def _frame(pydot: Any, path: str, name: str) -> Any:
    identifier = re.sub(r"\W", "_", path)
    return pydot.Cluster(identifier, label=_quoted(name), labeljust="l", style="dashed", fontname="Helvetica")


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _label(drawing: Drawing, operation: Any, style: _Style) -> str:
    """An HTML-like Graphviz table with the title, and one cell per property."""
    facts = _facts(drawing, operation, style)
    name = f"<b>{html.escape(operation.name)}</b> ({{}})" if style.show_layer_names else "<b>{}</b>"
    title = name.format(html.escape(kind_of(operation)))
    head = (
        f'<tr><td colspan="{max(len(facts), 1)}" bgcolor="{_HEAD_COLOR}"><font color="white">{title}</font></td></tr>'
    )
    colors = {"trainable": f' bgcolor="{_TRAINABLE_COLOR}"', "frozen": f' bgcolor="{_FROZEN_COLOR}"'}
    cells = "".join(f"<td{colors.get(fact, '')}>{html.escape(fact)}</td>" for fact in facts)
    body = f"<tr>{cells}</tr>" if facts else ""
    return f'<<table border="0" cellborder="1" cellspacing="0" cellpadding="6">{head}{body}</table>>'


def _text(drawing: Drawing, style: _Style) -> str:
    """The drawing as numbered lines, each with the numbers of its inputs."""
    numbers: dict[str, int] = {}
    lines = [drawing.model.name]
    _write_lines(drawing, style, numbers, drawing.sources(), lines, "")
    return "\n".join(lines)


def _write_lines(
    drawing: Drawing, style: _Style, numbers: dict[str, int], sources: dict, lines: list[str], indent: str
) -> None:
    for path, member in drawing.members.items():
        if isinstance(member, Drawing):
            lines.append(f"{indent}{member.model.name}:")
            _write_lines(member, style, numbers, sources, lines, indent + "    ")
            continue
        numbers[path] = len(numbers) + 1
        name = f"{member.name} ({kind_of(member)})" if style.show_layer_names else kind_of(member)
        before = ", ".join(f"[{numbers[source]}]" for source in sources.get(path, ()))
        parts = [f"{name} <- {before}" if before else name, *_facts(drawing, member, style)]
        lines.append(f"{indent}[{numbers[path]}] {', '.join(parts)}")


def kind_of(operation: Any) -> str:
    """Return the class name of a layer, with that of a wrapped layer in parentheses, or the name of an op.

    >>> import polykeras as keras
    >>> kind_of(keras.layers.TimeDistributed(keras.layers.Dense(1)))
    'TimeDistributed(Dense)'
    """
    if isinstance(operation, OpCall):
        return operation.function.__name__
    kind = type(operation).__name__
    return f"{kind}({type(operation.layer).__name__})" if isinstance(operation, Wrapper) else kind


def _facts(drawing: Drawing, operation: Any, style: _Style) -> list[str]:
    """The properties of a layer that the style selects."""
    nodes = [node for node in drawing._nodes if node.operation is operation]
    facts = []
    activation = getattr(operation, "activation", None)
    if style.show_layer_activations and activation is not None:
        facts.append(f"activation: {getattr(activation, '__name__', type(activation).__name__)}")
    if style.show_shapes:
        facts += _each("input shape", [[x.shape for x in node.inputs] for node in nodes])
        facts += _each("output shape", [[x.shape for x in node.outputs] for node in nodes])
    if style.show_dtype:
        facts += _each("output dtype", [[x.dtype for x in node.outputs] for node in nodes])
    if style.show_trainable and isinstance(operation, Layer):
        facts.append("trainable" if operation.trainable else "frozen")
    return facts


def _each(name: str, calls: list[list]) -> list[str]:
    """A property of all calls of a layer, without duplicates."""
    texts = dict.fromkeys(", ".join(map(str, values)) for values in calls if values)
    return [f"{name}: {' / '.join(texts)}"] if texts else []
