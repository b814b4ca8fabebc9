"""polykeras in the place of Keras: every way to ask for it, every path that leads there, and nobody else's process."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
STARTUP = ROOT / "polykeras" / "compat" / "startup"
ASK = "import polykeras; polykeras.install_as_keras()\n"


def run(program, **variables):
    environment = {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": "numpy", "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    environment = {**{k: v for k, v in os.environ.items() if k != "POLYKERAS_AS_KERAS"}, **environment}
    result = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", program],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_keras_has_its_name_its_version_and_the_modules_of_polykeras():
    program = """
import importlib.metadata, inspect, pickle
import keras, keras.layers, keras.engine.topology
from keras import *
from keras.src import __version__, version
assert (keras.__name__, keras.__version__, keras.version()) == ("keras", "3.15.1", "3.15.1")
assert polykeras.__version__ != "3.15.1" and importlib.metadata.version("keras") == "3.15.1"
assert keras.layers is polykeras.layers and layers is keras.layers
assert keras.datasets is polykeras.datasets and set(dir(polykeras)) <= set(dir(keras)) | {"lazy", "install_old_paths"}
assert pickle.loads(pickle.dumps(keras.layers.Dense)) is polykeras.layers.Dense
assert "class Dense" in inspect.getsource(keras.layers.Dense) and inspect.getfile(keras).endswith("__init__.py")
assert inspect.getmodule(keras.layers.Dense).__name__ == "polykeras.layers.dense"
assert not hasattr(keras, "nothing")
for missing in ("keras.nothing", "keras.layers.nothing", "keras.src.engine", "keras.src.layers.nothing"):
    try:
        __import__(missing)
    except ModuleNotFoundError as error:
        assert error.name == missing, error
    else:
        raise AssertionError(missing)
"""
    run(ASK + program)


def test_every_listed_module_of_keras_src_imports_and_has_names_that_packages_take():
    program = """
import importlib
from polykeras.compat.keras3 import paths
for path in sorted(paths._paths()):
    assert importlib.import_module(f"keras.src.{path}").__name__ == f"keras.src.{path}"
from keras.src import backend
from keras.src.backend.common.masking import get_keras_mask, set_keras_mask
from keras.src.backend.torch.trainer import TorchTrainer
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.layer import Layer
from keras.src.legacy.backend import int_shape
from keras.src.legacy.layers import ThresholdedReLU
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from keras.src.legacy.losses import Reduction
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from keras.src.version import __version__ as version
from keras.src.layers.merging.base_merge import Merge
from keras.src.layers.pooling.base_pooling import BasePooling
from keras.src.losses.losses import LossFunctionWrapper
from keras.src.models.functional import Functional
from keras.src.ops import numpy as arrays
from keras.src.saving import register_keras_serializable, serialization_lib
from keras.src.testing import TestCase
from keras.src.trainers.data_adapters import data_adapter_utils
from keras.src.utils.argument_validation import standardize_tuple
from keras.src.utils.module_utils import scipy
from keras.src.utils.tracking import no_automatic_dependency_tracking
from keras.src.activations import ALL_OBJECTS_DICT
import keras
assert Layer is keras.Layer and issubclass(keras.layers.Conv2D, BaseConv) and issubclass(keras.layers.Add, Merge)
assert issubclass(keras.layers.MaxPooling2D, BasePooling)
assert int_shape(keras.Input((3,))) == (None, 3) and ThresholdedReLU is keras.layers.ThresholdedReLU
assert version == keras.src.__version__ == keras.__version__
assert keras.losses.Reduction is Reduction and ImageDataGenerator is keras.preprocessing.image.ImageDataGenerator
assert keras.losses.MeanSquaredError(reduction=Reduction.AUTO).reduction == "sum_over_batch_size"
assert issubclass(keras.losses.MeanSquaredError, LossFunctionWrapper)
assert arrays.sum is keras.ops.sum and ALL_OBJECTS_DICT["relu"] is keras.activations.relu
assert data_adapter_utils.unpack_x_y_sample_weight((1, 2)) == (1, 2, None)
assert standardize_tuple(2, 3, "strides") == (2, 2, 2) and scipy.available in (True, False)
spec = backend.compute_output_spec(lambda x: x[:, 0], backend.KerasTensor((None, 3), "int32"))
assert spec.shape == (None,) and spec.dtype == "int32"
assert backend.standardize_dtype("float") == "float32" and backend.standardize_data_format(None) == "channels_last"
assert polykeras.layers.layer is not Layer  # the facades have set nothing on polykeras's own packages
"""
    run(ASK + program)


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs TensorFlow")
@pytest.mark.parametrize("program", [ASK + "import tensorflow as tf", "import tensorflow as tf\n" + ASK])
def test_keras_inside_tensorflow_is_polykeras_whichever_came_first(program):
    check = """
import keras, numpy
import tensorflow.keras.layers
from tensorflow import keras as inner
from tensorflow.keras.models import Sequential
from tensorflow.python.keras import backend as K
from tensorflow.python.keras.engine.base_layer import Layer
from keras._tf_keras.keras.layers import Dense
assert tf.keras is keras and inner is keras and tf.keras.__version__ == "3.15.1"
assert tf.keras.layers.Dense is Dense is polykeras.layers.Dense and Sequential is polykeras.Sequential
assert K.function is polykeras.backend.function
assert tf.compat.v1.keras.layers.Dense is Dense and tf.compat.v2.keras.layers.Dense is Dense
assert Layer is polykeras.layers.Layer and tf.optimizers.Adam is polykeras.optimizers.Adam
assert K.get_graph().name == "keras_graph"  # names that polykeras does not have are TensorFlow's
assert tf.keras.layers.Dense(2)(numpy.ones((1, 3))).shape == (1, 2)
assert tf.function(lambda x: x + 1)(tf.ones(2)).numpy().tolist() == [2, 2]
"""
    run(program + check)


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs TensorFlow")
def test_keras_inside_tensorflow_is_polykeras_where_fit_loads_tensorflow():
    program = """
import numpy
import keras
assert "tensorflow" not in sys.modules
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(numpy.ones((4, 3)), numpy.ones((4, 1)), verbose=0)
import tensorflow as tf
assert tf.keras is keras and tf.keras.models.Sequential is polykeras.Sequential
"""
    run("import sys\n" + ASK + program, KERAS_BACKEND="tensorflow")


@pytest.mark.parametrize(
    "first",
    ["import keras", "import tf_keras.layers", "from tf_keras.src import backend", "import tf_keras.api._v2.keras"],
)
def test_tf_keras_is_polykeras_too(first):
    """Packages import the Keras 2 beside TensorFlow under this name."""
    program = """
import tf_keras, keras
from tf_keras.layers import Dense
from tf_keras.src.layers import Dense as Same
assert tf_keras is keras and Dense is Same is polykeras.layers.Dense
"""
    run(f"{ASK}{first}\n{program}")


def with_startup(folder, program):
    """A program that begins as Python does where the package is installed: site reads the .pth files of a folder."""
    for file in STARTUP.glob("*polykeras_as_keras.*"):
        (folder / file.name).write_text(file.read_text())
    return f"import site, sys; site.addsitedir({str(folder)!r})\n" + program


def test_variable_of_the_environment_is_enough_and_costs_nothing_before_keras_is_imported(tmp_path):
    program = """
assert not any(name.startswith(("polykeras", "numpy")) for name in sys.modules if name != "_polykeras_as_keras")
import keras.layers
print(keras.__version__, keras.layers.Dense.__module__)
"""
    assert run(with_startup(tmp_path, program), POLYKERAS_AS_KERAS="1") == "3.15.1 polykeras.layers.dense"


@pytest.mark.parametrize("variables", [{}, {"POLYKERAS_AS_KERAS": "0"}])
def test_keras_is_left_alone_where_nobody_asks(tmp_path, variables):
    program = """
import polykeras, importlib.util
spec = importlib.util.find_spec("keras")
print(spec is None or "polykeras" not in spec.origin, "_polykeras_as_keras" in sys.modules)
"""
    assert run(with_startup(tmp_path, program), **variables) == "True False"


def test_wheel_carries_the_files_that_python_reads_at_its_start():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert set(included.values()) == {"polykeras_as_keras.pth", "_polykeras_as_keras.py"}
    assert all((ROOT / source).is_file() for source in included)


def test_model_of_a_graph_is_a_functional_and_others_are_not():
    import polykeras as keras

    class Own(keras.Model):
        def call(self, x):
            return x

    x = keras.Input((3,))
    y = keras.layers.Dense(2)(x)
    for model in (keras.Model(x, y), keras.Model(inputs=x, outputs=y), keras.models.Functional(x, y)):
        assert type(model).__name__ == "Functional" and model.name.startswith("functional")
        again = keras.models.clone_model(model)
        assert type(again) is type(model) and type(keras.models.model_from_json(model.to_json())) is type(model)
    assert not isinstance(Own(), keras.models.Functional) and type(keras.Model()) is keras.Model
    assert not isinstance(keras.Sequential(), keras.models.Functional)
