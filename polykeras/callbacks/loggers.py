"""Callbacks that log the results of epochs."""

from __future__ import annotations

import csv
import json
import os
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from polykeras.callbacks.callback import Callback

_TIMEOUT = 10.0  # seconds


class BaseLogger(Callback):
    """Averages the batch values of a custom training loop over an epoch, as in Keras 2.

    ``fit`` does not need it: its logs are the means over the epoch already.

    Args:
        stateful_metrics: names of values to report as they are at the end, not averaged; default None.

    >>> logger = BaseLogger()
    >>> logger.on_epoch_begin(0)
    >>> logger.on_batch_end(0, {"size": 3, "loss": 1.0}); logger.on_batch_end(1, {"size": 1, "loss": 5.0})
    >>> logs = {}; logger.on_epoch_end(0, logs); logs
    {'loss': 2.0}
    """

    #: No batch hooks are needed in ``fit``.
    watched_hooks: frozenset[str] = frozenset()

    def __init__(self, stateful_metrics: Iterable[str] | None = None) -> None:
        super().__init__()
        self.stateful_metrics = set(stateful_metrics or ())

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.seen = 0
        self.totals: dict[str, float] = {}

    def on_batch_end(self, batch: int, logs: dict | None = None) -> None:
        logs = dict(logs or {})
        size = logs.pop("size", 0)
        self.seen += size
        for name, value in logs.items():
            is_last = name in self.stateful_metrics
            self.totals[name] = value if is_last else self.totals.get(name, 0.0) + value * size

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if logs is not None and self.seen:
            logs |= {n: total if n in self.stateful_metrics else total / self.seen for n, total in self.totals.items()}


class CSVLogger(Callback):
    """Writes one row per epoch to a CSV file.

    Args:
        filename: str or path of the file.
        separator: str, column separator; default ",".
        append: bool, whether to append to an existing file instead of replacing it; default False.

    The columns are determined by the first epoch; missing values, such as those of validation, are ``NA``.

    >>> import polykeras as keras, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "log.csv")
    >>> logger = keras.callbacks.CSVLogger(path)
    >>> logger.on_train_begin(); logger.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.75}); logger.on_train_end()
    >>> print(open(path).read().strip())
    epoch,loss,val_loss
    0,0.5,0.75
    """

    def __init__(self, filename: str | os.PathLike, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self._file: Any = None
        self._writer: csv.DictWriter | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.on_train_end()  # close a file that an interrupted training left open
        self._file = open(self.filename, "a" if self.append else "w", newline="")  # noqa: SIM115

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs = logs or {}
        if self._writer is None:
            self._writer = self._start(logs)
        row = {name: _cell(logs.get(name, "NA")) for name in self._writer.fieldnames}
        self._writer.writerow({**row, "epoch": epoch})
        self._file.flush()

    def _start(self, logs: dict) -> csv.DictWriter:
        names = sorted(logs)
        if not any(name.startswith("val_") for name in names):  # validation may come in later epochs
            names += [f"val_{name}" for name in names]
        writer = csv.DictWriter(self._file, ["epoch", *names], delimiter=self.sep)
        if self._file.tell() == 0:
            writer.writeheader()
        return writer

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None


def _cell(value: Any) -> Any:
    return f"[{', '.join(map(str, value))}]" if np.ndim(value) else value


class RemoteMonitor(Callback):
    """Sends the results of every epoch to a server, as JSON in an HTTP POST request.

    If the server can't be reached, there is a warning and training continues.

    Args:
        root: str, URL of the server; default "http://localhost:9000".
        path: str, path on the server; default "/publish/epoch/end/".
        field: str, name of the form field that contains the JSON; default "data".
        headers: dict of further HTTP headers; default None.
        send_as_json: bool, whether to send the JSON as the request body, not in a form; default False.

    >>> import polykeras as keras
    >>> keras.callbacks.RemoteMonitor(root="http://localhost:8080", send_as_json=True).path
    '/publish/epoch/end/'
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        self.root = root
        self.path = path
        self.field = field
        self.headers, self.send_as_json = headers, send_as_json

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        import urllib.parse  # here: urllib loads all of HTTP and SSL
        import urllib.request

        results = {name: np.asarray(value).tolist() for name, value in (logs or {}).items()}
        text = json.dumps({"epoch": epoch, **results})
        if self.send_as_json:
            body, kind = text, "application/json"
        else:
            body, kind = urllib.parse.urlencode({self.field: text}), "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind, **(self.headers or {})}
        request = urllib.request.Request(self.root + self.path, body.encode(), headers, method="POST")
        try:
            urllib.request.urlopen(request, timeout=_TIMEOUT).close()
        except OSError as error:  # refused, unknown, too slow, or an HTTP error
            warnings.warn(
                f"RemoteMonitor: Expected a server at {self.root}{self.path}. Received: {error}.", stacklevel=2
            )
