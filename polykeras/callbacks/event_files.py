"""TensorBoard event files, written with the tensorboard package only, without TensorFlow."""

from __future__ import annotations

import itertools
import os
import socket
import struct
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from polykeras.core.extras import require

_BINS = 30
_file_numbers = itertools.count()  # for distinct names of files created in the same second


def _proto(name: str) -> Any:
    return require(f"tensorboard.compat.proto.{name}_pb2", "tensorboard", "TensorBoard's files")


class EventFile:
    """The event file of one TensorBoard run: values by tag and step. It is created when the first value is written.

    Args:
        folder: directory of the run.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        self._file: Any = None
        self._records: Any = None

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Write a number."""
        self._value(step, tag=tag, simple_value=float(value))

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """Write a histogram of the finite values of an array."""
        values = np.asarray(values, np.float64).ravel()
        values = values[np.isfinite(values)]
        if not values.size:
            return
        counts, edges = np.histogram(values, _BINS)
        summary = _proto("summary").HistogramProto(
            min=values.min(), max=values.max(), num=values.size, sum=values.sum(), sum_squares=(values**2).sum(),
            bucket_limit=edges[1:], bucket=counts,
        )  # fmt: skip
        self._value(step, tag=tag, histo=summary)

    def image(self, tag: str, pixels: np.ndarray, step: int) -> None:
        """Write a matrix as an image: black for its minimum, white for its maximum."""
        height, width = pixels.shape
        image = _proto("summary").Summary.Image(
            height=height, width=width, colorspace=1, encoded_image_string=_png(_as_gray(pixels))
        )
        self._value(step, tag=tag, image=image)

    def text(self, tag: str, text: str, step: int) -> None:
        """Write a text in Markdown."""
        tensor = _proto("tensor").TensorProto(dtype=_proto("types").DT_STRING, string_val=[text.encode()])
        metadata = _proto("summary").SummaryMetadata(plugin_data={"plugin_name": "text"})
        self._value(step, tag=tag, tensor=tensor, metadata=metadata)

    def graph(self, nodes: Iterable[tuple[str, str, list[str], list[tuple]]]) -> None:
        """Write a graph.

        Args:
            nodes: (path, kind, paths of the input nodes, shapes of the outputs) of each node.
        """
        graph_def = _proto("graph").GraphDef(versions={"producer": 22})
        for path, kind, sources, shapes in nodes:
            node = graph_def.node.add(name=path, op=kind, input=sources)
            for shape in shapes:
                sizes = node.attr["_output_shapes"].list.shape.add()
                for size in shape:
                    sizes.dim.add(size=-1 if size is None else size)
        self._event(graph_def=graph_def.SerializeToString())

    def _value(self, step: int, **value: Any) -> None:
        self._event(step=step, summary={"value": [value]})

    def _event(self, **event: Any) -> None:
        if self._file is None:
            self._open()
            self._event(file_version="brain.Event:2")
        self._records.write(_proto("event").Event(wall_time=time.time(), **event).SerializeToString())

    def _open(self) -> None:
        writer = require("tensorboard.summary.writer.record_writer", "tensorboard", "TensorBoard's files")
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time():.0f}.{socket.gethostname()}.{os.getpid()}.{next(_file_numbers)}"
        self._file = open(self.folder / f"events.out.tfevents.{name}", "wb")  # noqa: SIM115
        self._records = writer.RecordWriter(self._file)

    def flush(self) -> None:
        """Flush the file, so that readers see what was written so far."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file; later values are written to a new one."""
        if self._file is not None:
            self._file.close()
        self._file = self._records = None


def matrix_of(weight: np.ndarray) -> np.ndarray | None:
    """Return a weight as a matrix for display; None for a scalar.

    The kernels of a convolution are laid out side by side, with one row of kernels per input channel.

    >>> matrix_of(np.zeros((3,))).shape, matrix_of(np.zeros((5, 2))).shape, matrix_of(np.zeros((3, 3, 2, 4))).shape
    ((1, 3), (2, 5), (6, 12))
    """
    if weight.ndim == 0 or weight.size == 0:
        return None
    if weight.ndim == 1:
        return weight[None]
    if weight.ndim == 2:
        return weight.T if weight.shape[0] > weight.shape[1] else weight
    height = weight.shape[0]
    kernels = weight.reshape(height, -1, *weight.shape[-2:]).transpose(2, 0, 3, 1)
    return kernels.reshape(kernels.shape[0] * height, -1)


def _as_gray(pixels: np.ndarray) -> np.ndarray:
    low, high = float(pixels.min()), float(pixels.max())
    return np.round((pixels - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)


def _png(gray: np.ndarray) -> bytes:
    """A gray picture as PNG (ISO/IEC 15948)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = gray.shape
    rows = np.pad(gray, ((0, 0), (1, 0)))  # each row starts with its filter, 0 for none
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows.tobytes())), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
