"""The networks of ``keras.applications`` compared with Keras's: ``python -m benchmarks.applications``.

Keras on PyTorch builds each network, gives it random weights, writes them to a file in the layout of Keras 2, in
which the trained ones are published, and predicts a small image. polykeras builds the network, reads that file, and
predicts the same image, on NumPy without any framework and on another engine. One process each builds all networks
in turn; processor time is measured, so that other programs don't count.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmarks import report

_PAGE = Path(__file__).parent.parent / "docs" / "applications.md"

#: Height and width of the image in pixels, where a network needs more than 64.
_SIZES = {"InceptionV3": 96, "InceptionResNetV2": 96, "Xception": 96}

#: The ranges from which weights are drawn that would start as zeros, ones, or a millionth.
_RANGES = {
    "beta": (-0.1, 0.1),
    "bias": (-0.1, 0.1),
    "mean": (-0.1, 0.1),
    "gamma": (0.2, 0.6),
    "variance": (0.5, 1.5),
}


def of_keras(keras: Any, constructor: str, **arguments: Any) -> Any:
    """Build a network of real Keras with reset automatic names.

    Args:
        keras: the Keras module.
        constructor: str, name of the constructor.
        arguments: of the constructor, with random weights.
    """
    keras.backend.clear_session()
    function = getattr(keras.applications, constructor)
    if constructor == "NASNetMobile" and keras.backend.backend() == "torch":
        # On torch, Keras's public function refuses this network; the function below builds it.
        function = importlib.import_module("keras.src.applications.nasnet").NASNet
        blocks = {"penultimate_filters": 1056, "num_blocks": 4, "stem_block_filters": 32, "skip_reduction": False}
        arguments = {"name": "nasnet_mobile", **arguments, **blocks, "filter_multiplier": 2, "default_size": 224}
    return function(weights=None, **arguments)


def of_polykeras(constructor: str, **arguments: Any) -> Any:
    """Build a network of polykeras with reset automatic names."""
    import polykeras

    polykeras.backend.clear_session()
    return getattr(polykeras.applications, constructor)(**{"weights": None, **arguments})


def randomize(model: Any) -> None:
    """Draw the weights that would hide an error because they start as zeros, ones, or a millionth.

    The variance of a batch normalization is about as large as that of its input for random
    images. Otherwise the numbers would grow from block to block of a deep network, until a rounding error decides
    whether a gate is open, or shrink, until no earlier weight matters.
    """
    generator = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in _RANGES:
            weight.assign(generator.uniform(*_RANGES[weight.name], weight.shape).astype("float32"))
    normalizations = [layer for layer in model.layers if hasattr(layer, "moving_variance")]
    for layer in model.layers:
        if hasattr(layer, "rate"):
            layer.rate = 0.0
    for layer in normalizations:
        layer.momentum = 0.0
    if normalizations:
        model(pictures(model.input_shape[1], 8), training=True)
    is_gated = any(layer.name.endswith("_se_excite") for layer in model.layers)
    for layer in normalizations:
        mean, variance = layer.get_weights()[-2:]
        if is_gated:  # a sum of many blocks opens or closes gates: these get the exact mean and variance
            layer.moving_variance.assign(variance + 0.01)
            continue
        square = np.mean(mean**2 + variance)
        layer.moving_mean.assign(np.sqrt(square) * generator.uniform(-0.1, 0.1, mean.shape))
        layer.moving_variance.assign(square * generator.uniform(0.5, 1.5, mean.shape))


def write_as_keras_2(model: Any, path: Path) -> None:
    """Write the weights of a model of real Keras in the layout of Keras 2."""
    with h5py.File(path, "w") as file:
        importlib.import_module("keras.src.legacy.saving.legacy_h5_format").save_weights_to_hdf5_group(file, model)


def pictures(size: int, count: int = 1) -> np.ndarray:
    """Return random images with spots of many sizes; the first ones are the same for each count."""
    generator = np.random.default_rng(1)
    made = []
    for _ in range(count):
        scales = [1, 2, 4, 8, 16]
        grids = [generator.normal(size=(-(-size // scale), -(-size // scale), 3)) for scale in scales]
        spots = [
            np.kron(grid, np.ones((scale, scale, 1)))[:size, :size] for grid, scale in zip(grids, scales, strict=True)
        ]
        made.append(sum(spots))
    return np.array(made, "float32")


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest difference as a fraction of the largest value."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


# -------------------------------------------------------------------- processes


def _small(name: str) -> dict:
    size = _SIZES.get(name, 64)
    return {"include_top": False, "input_shape": (size, size, 3), "pooling": "avg"}


def _prepare(backend: str) -> None:
    os.environ.update(KERAS_BACKEND=backend, KERAS_VERBOSE="0", TF_CPP_MIN_LOG_LEVEL="3")
    for package in ("keras", "polykeras"):  # so that neither measures the import
        if package == "polykeras" or backend == "torch":
            importlib.import_module(package)


def _keras(name: str, folder: str) -> dict:
    import keras

    start = time.process_time()
    model = of_keras(keras, name)
    seconds = time.process_time() - start
    parameters = model.count_params()
    del model
    gc.collect()
    model = of_keras(keras, name, **_small(name))
    randomize(model)
    write_as_keras_2(model, Path(folder) / "weights.h5")
    outputs = model.predict(pictures(_SIZES.get(name, 64)), verbose=0)
    np.save(Path(folder) / "outputs.npy", outputs)
    return {"parameters": parameters, "seconds": seconds}


def _polykeras(name: str, folder: str) -> dict:
    start = time.process_time()
    model = of_polykeras(name)
    built = time.process_time() - start
    for weight in model.weights:
        assert weight.value is not None  # weights are drawn when first read
    seconds = time.process_time() - start
    parameters = model.count_params()
    del model
    gc.collect()
    model = of_polykeras(name, **{**_small(name), "weights": Path(folder) / "weights.h5"})
    outputs = model.predict(pictures(_SIZES.get(name, 64)), verbose=0)
    return {
        "parameters": parameters,
        "built": built,
        "seconds": seconds,
        "difference": difference(outputs, np.load(Path(folder) / "outputs.npy")),
        "frameworks": [module for module in ("tensorflow", "torch", "jax") if module in sys.modules],
    }


def _process(backend: str) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, context, _prepare, (backend,))


# ----------------------------------------------------------------------- table


def _row(name: str, theirs: dict, plain: dict, other: dict) -> list[str]:
    assert plain["frameworks"] == []
    return [
        name,
        f"{plain['parameters']:,}",
        f"{theirs['parameters']:,}",
        f"{plain['built']:.2f}",
        f"{plain['seconds']:.2f}",
        f"{theirs['seconds']:.2f}",
        f"{plain['difference']:.0e}",
        f"{other['difference']:.0e}",
    ]


def _names() -> list[str]:
    import polykeras

    return [name for name in polykeras.applications.__all__ if name[0].isupper()]


def main() -> None:
    """Parse the command line, measure, write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.applications", description=__doc__)
    parser.add_argument("--engine", default="torch", choices=("torch", "jax", "tensorflow"), help="beside NumPy")
    parser.add_argument("--names", nargs="+", default=_names(), choices=_names(), metavar="NAME")
    parser.add_argument("--output", type=Path, default=_PAGE)
    options = parser.parse_args()
    head = ["network", "parameters", "of Keras", "built, s", "with weights, s", "Keras, s"]
    head += ["outputs differ on numpy", f"on {options.engine}"]
    rows: list[list[str]] = []
    with _process("torch") as keras, _process("numpy") as plain, _process(options.engine) as other:
        for name in options.names:
            with tempfile.TemporaryDirectory() as folder:
                theirs = keras.submit(_keras, name, folder).result()
                ours = [process.submit(_polykeras, name, folder).result() for process in (plain, other)]
            rows.append(_row(name, theirs, *ours))
            print(" | ".join(rows[-1]), flush=True)
            text = _TEXT.format(table=report.table(head, rows), machine=report.machine())
            options.output.write_text(text)


_TEXT = """# The networks of `keras.applications`

`python -m benchmarks.applications` generates this page. Keras on PyTorch initializes each network with random weights
and saves them in the format of Keras 2, in which the pretrained ones are published. polykeras loads that file and
predicts the same image of 64 x 64 pixels (96 x 96 for the Inceptions and Xception), on NumPy in a process without any
framework, and on another engine. The last columns are the largest difference of the features, relative to the largest
feature.

Times are CPU seconds for building the network with its top and its default input size, on one thread. polykeras
initializes weights when they are first read: *built* is the network before that, ready to load a file of weights; *with
weights* includes the initialization of all weights, as in Keras.

{table}
{machine}
"""

if __name__ == "__main__":
    main()
