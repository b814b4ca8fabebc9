"""A callback that logs training for TensorBoard."""

from __future__ import annotations

import cProfile
import io
import os
import pstats
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.callbacks.callback import Callback
from polykeras.callbacks.event_files import EventFile, matrix_of
from polykeras.callbacks.monitor import optimizers_of
from polykeras.core import log_names, naming, trees
from polykeras.core.extras import require

_PROFILE_ROWS = 30


class TensorBoard(Callback):
    """Writes files for TensorBoard; view them with ``tensorboard --logdir logs``.

    The runs ``train`` and ``validation`` contain ``epoch_...`` for each metric and the learning rate,
    ``batch_...`` if ``update_freq`` is set, and ``evaluation_..._vs_iterations``.

    Args:
        log_dir: str or path, directory of the runs; default "logs".
        histogram_freq: int, number of epochs between histograms of all weights; 0 for none; default 0.
        write_graph: bool, whether to write the graph of the layers; default True.
        write_images: bool, whether to also write the weights as images, along with the histograms; default False.
        write_steps_per_second: bool, whether to write the speed of training; default False.
        update_freq: ``"epoch"``, ``"batch"``, or the number of batches between ``batch_...`` values; default "epoch".
        profile_batch: index of a batch (starting at 1), or (first, last), to run under the Python profiler; the result
            is a text in TensorBoard, and ``profile.pstats`` in the directory of the run; 0 for none; default 0.
        embeddings_freq: int, number of epochs between copies of the embeddings for the projector; 0 for none; default
            0.
        embeddings_metadata: path (relative to ``log_dir``) of a file with one label per row, or a dict from layer
            names to such paths; default None.
        batch_size: int, number of rows for ``write_grads``, as in Keras 2; default 32.
        write_grads: bool, whether to also write histograms of the gradients, as in Keras 2. They are
            computed on the first rows of the validation data, which must be arrays; default False.
        embeddings_layer_names: list of layer names, as in Keras 2; default None, for all Embedding layers.
        embeddings_data: inputs for which to write the outputs of the layers instead of the weights, as in Keras 2;
            default None.

    Raises:
        ImportError: if the tensorboard package is not installed.
        ValueError: for an invalid ``update_freq`` or ``profile_batch``, or unknown layer names.

    >>> import polykeras as keras
    >>> keras.callbacks.TensorBoard("logs", update_freq="batch").update_freq
    1
    """

    def __init__(
        self,
        log_dir: str | os.PathLike = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: int | Sequence[int] | str = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: str | dict[str, str] | None = None,
        batch_size: int = 32,
        write_grads: bool = False,
        embeddings_layer_names: Sequence[str] | None = None,
        embeddings_data: Any = None,
    ) -> None:
        super().__init__()
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.write_grads = write_grads
        self.batch_size = batch_size
        self.update_freq = 1 if update_freq == "batch" else update_freq
        if self.update_freq != "epoch" and not (isinstance(self.update_freq, int) and self.update_freq >= 1):
            raise ValueError(
                f"Expected update_freq to be 'epoch', 'batch' or a number of batches. Received: {update_freq!r}."
            )
        self.profile_batch, self._profiled = profile_batch, _first_and_last(profile_batch)
        self.embeddings_freq, self.embeddings_metadata = embeddings_freq, embeddings_metadata
        self.embeddings_layer_names, self.embeddings_data = embeddings_layer_names, embeddings_data
        #: Batch hooks are only needed if something is written per batch.
        is_watching = self.update_freq != "epoch" or self._profiled is not None
        self.watched_hooks = frozenset({"on_train_batch_begin", "on_train_batch_end"} if is_watching else ())
        self._train, self._validation = (EventFile(Path(self.log_dir, run)) for run in ("train", "validation"))
        self._profiler: cProfile.Profile | None = None
        self._batches = self._epoch_batches = 0

    # ------------------------------------------------------------------ hooks

    def on_train_begin(self, logs: dict | None = None) -> None:
        require("tensorboard", "tensorboard", "the callback TensorBoard")
        self._batches = 0
        if self.embeddings_freq:
            self._check_names()
            self._projector = require("tensorboard.plugins.projector", "tensorboard", "embeddings").ProjectorConfig()
        if self.write_graph:
            self._train.graph(_graph(self.model))

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch_batches = 0
        self._epoch_start = self._batch_start = time.perf_counter()
        self._written_batches = self._batches
        self._epoch_first = self._iterations()

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if self._profiled is not None and self._batches + 1 == self._profiled[0]:
            self._profiler = cProfile.Profile()
            self._profiler.enable()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        before = self._batches
        self._batches += batch + 1 - self._epoch_batches  # a call may stand for several batches
        self._epoch_batches = batch + 1
        if self._profiler is not None and self._profiled is not None and self._batches >= self._profiled[1]:
            self._end_profile()
        if isinstance(self.update_freq, str) or before // self.update_freq == self._batches // self.update_freq:
            return
        self._scalars(self._train, "batch_{}", log_names.of_results(logs or {}), self._batches)
        if self.write_steps_per_second:
            now = time.perf_counter()
            steps = self._batches - self._written_batches
            self._train.scalar("batch_steps_per_second", steps / (now - self._batch_start), self._batches)
            self._batch_start, self._written_batches = now, self._batches

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs = logs or {}
        is_validation = {name: name.startswith("val_") for name in logs}
        self._scalars(self._train, "epoch_{}", {k: v for k, v in logs.items() if not is_validation[k]}, epoch)
        validation = {name.removeprefix("val_"): value for name, value in logs.items() if is_validation[name]}
        self._scalars(self._validation, "epoch_{}", validation, epoch)
        for optimizer in optimizers_of(self.model) if "learning_rate" not in logs else ():
            self._train.scalar("epoch_learning_rate", float(ops.convert_to_numpy(optimizer.learning_rate)), epoch)
        if self.write_steps_per_second:
            steps = self._iterations() - self._epoch_first
            self._train.scalar("epoch_steps_per_second", steps / (time.perf_counter() - self._epoch_start), epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._embeddings(epoch)
        self._flush()

    def on_test_end(self, logs: dict | None = None) -> None:
        self._scalars(self._validation, "evaluation_{}_vs_iterations", logs, self._iterations())
        self._flush()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._profiler is not None:
            self._end_profile()
        self._train.close()
        self._validation.close()

    # ----------------------------------------------------------------- values

    def _flush(self) -> None:
        self._train.flush()
        self._validation.flush()

    def _iterations(self) -> int:
        optimizer = getattr(self.model, "optimizer", None)
        return 0 if optimizer is None else int(ops.convert_to_numpy(optimizer.iterations))

    def _scalars(self, file: EventFile, pattern: str, logs: dict | None, step: int) -> None:
        for name, value in (logs or {}).items():
            if np.ndim(value) == 0:
                file.scalar(pattern.format(name), value, step)
            else:  # a metric with one value per class
                for index, part in enumerate(np.ravel(value)):
                    file.scalar(f"{pattern.format(name)}/{index}", part, step)

    def _weights(self, epoch: int) -> None:
        for weight in self.model.weights:
            values = weight.numpy().astype(np.float32)
            self._train.histogram(f"{weight.path}/histogram", values, epoch)
            matrix = matrix_of(values) if self.write_images else None
            if matrix is not None:
                self._train.image(f"{weight.path}/image", matrix, epoch)
        for weight, gradient in self._gradients() if self.write_grads else ():
            self._train.histogram(f"{weight.path}/gradient", gradient, epoch)

    def _gradients(self) -> list[tuple]:
        """Pairs of the weights and their gradients on the first rows of the validation data."""
        data = self.validation_data
        if not isinstance(data, list | tuple) or len(data) < 2:
            raise ValueError(
                f"Expected fit(validation_data=(x, y)) with arrays for TensorBoard(write_grads=True). Received: "
                f"validation data of type {type(data).__name__}."
            )
        x, y, *rest = trees.map(lambda a: ops.convert_to_tensor(np.asarray(a)[: self.batch_size]), tuple(data[:3]))
        sample_weight = rest[0] if rest else None
        weights = self.model.trainable_variables

        def loss() -> Any:
            y_pred = self.model(x, training=False)
            return self.model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)

        _, gradients = ops.value_and_grad(loss, weights)()
        return [(w, ops.convert_to_numpy(g)) for w, g in zip(weights, gradients, strict=True) if g is not None]

    def _end_profile(self) -> None:
        profiler: Any = self._profiler
        self._profiler = None
        profiler.disable()
        self._train.folder.mkdir(parents=True, exist_ok=True)
        profiler.dump_stats(self._train.folder / "profile.pstats")
        table = io.StringIO()
        pstats.Stats(profiler, stream=table).sort_stats("tottime").print_stats(_PROFILE_ROWS)
        indented = table.getvalue().replace("\n", "\n    ")
        self._train.text("batch_profile", f"    {indented}", self._batches)

    # ------------------------------------------------------------- embeddings

    def _embedding_layers(self) -> dict[str, Any]:
        found = {layer.name: layer for layer in self.model._flatten_layers()}
        names = self.embeddings_layer_names or [name for name, layer in found.items() if hasattr(layer, "embeddings")]
        unknown = [name for name in names if name not in found]
        if unknown:
            raise ValueError(
                f"Expected embeddings_layer_names among {naming.listed(found)}. Received: {naming.listed(unknown)}."
            )
        return {name: found[name] for name in names}

    def _check_names(self) -> None:
        names = list(self._embedding_layers())
        metadata = self.embeddings_metadata
        unknown = [name for name in metadata if name not in names] if isinstance(metadata, dict) else []
        if unknown:
            raise ValueError(
                f"Expected the keys of embeddings_metadata among {naming.listed(names)}. Received: "
                f"{naming.listed(unknown)}."
            )

    def _embeddings(self, epoch: int) -> None:
        metadata = self.embeddings_metadata
        for name, layer in self._embedding_layers().items():
            points = self._outputs(layer) if self.embeddings_data is not None else layer.embeddings.numpy()
            path = Path("embeddings", f"{name}-epoch-{epoch + 1}.tsv")
            Path(self.log_dir, path).parent.mkdir(parents=True, exist_ok=True)
            np.savetxt(Path(self.log_dir, path), points.reshape(len(points), -1), delimiter="\t")
            label = metadata.get(name) if isinstance(metadata, dict) else metadata
            self._projector.embeddings.add(
                tensor_name=f"{name} (epoch {epoch + 1})", tensor_path=str(path), metadata_path=label or ""
            )
        text_format = require("google.protobuf.text_format", "tensorboard", "embeddings")
        Path(self.log_dir, "projector_config.pbtxt").write_text(text_format.MessageToString(self._projector))

    def _outputs(self, layer: Any) -> np.ndarray:
        """The outputs of a layer for ``embeddings_data``."""
        from polykeras.models import Model  # imported here: models are above callbacks in the order of packages

        part = Model(self.model.inputs, layer.output)
        return part.predict(self.embeddings_data, batch_size=self.batch_size, verbose=0)


def _graph(model: Any) -> list[tuple]:
    """The operations of a model and their inputs, for ``EventFile.graph``."""
    from polykeras.utils.plotting import Drawing, kind_of  # imported late: utils is above callbacks

    drawing = Drawing(model, expand_nested=True)
    sources = drawing.sources()
    nodes = []
    for path, operation in drawing.boxes():
        shapes = [x.shape for node in getattr(operation, "_inbound_nodes", ())[:1] for x in node.outputs]
        nodes.append((path, kind_of(operation), sources.get(path, []), shapes))
    return nodes


def _first_and_last(profile_batch: Any) -> tuple[int, int] | None:
    """The (first, last) batch to profile, from a number, a pair, or a string ``"first,last"``."""
    parts = profile_batch.split(",") if isinstance(profile_batch, str) else profile_batch
    try:
        first, last = map(int, [parts, parts] if np.ndim(parts) == 0 else parts)
        if not 0 <= first <= last:
            raise ValueError
    except (TypeError, ValueError):
        raise ValueError(
            f"Expected profile_batch to be the number of a batch, or (first, last). Received: {profile_batch!r}."
        ) from None
    return (first, last) if last else None
