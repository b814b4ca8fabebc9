"""Configs in files run nothing, read nothing and change nothing, in every format."""

from __future__ import annotations

import base64
import builtins
import json
import marshal
import signal
import socket
import types

import numpy as np
import pytest

import polykeras as keras
from polykeras.serialization import registry
from tests.layers.layer_table import CASES
from tests.saving import harm

resource = pytest.importorskip("resource")


def bytecode(function):
    return base64.encodebytes(marshal.dumps(function.__code__)).decode()


def lambdas(function):
    """The layouts in which files of Keras 3, of its generic serializer, and of Keras 2 hold a lambda."""
    code = bytecode(function)
    parts = {"code": code, "defaults": None, "closure": None}
    return {
        "keras 3": {"function": {"class_name": "__lambda__", "config": parts}},
        "list": {"function": {"class_name": "__lambda__", "config": {"value": [code, None, None]}}},
        "keras 2": {"function": [code, None, None], "function_type": "lambda", "module": "m", "arguments": {}},
        "output_shape": {"function": "relu", "output_shape": [code, None, None], "output_shape_type": "lambda"},
        "mask": {"function": "relu", "mask": {"class_name": "__lambda__", "config": parts}},
        "activation": {"activation": {"class_name": "__lambda__", "config": parts}, "units": 3},
    }


def layer(style, config):
    kind = "Dense" if style == "activation" else "Lambda"
    return {"module": "keras.layers", "class_name": kind, "config": {"name": "l", **config}, "registered_name": None}


@pytest.mark.parametrize("kind", harm.FORMATS)
@pytest.mark.parametrize("style", lambdas(lambda x: x))
def test_bytecode_is_not_run(tmp_path, kind, style):
    marker = str(tmp_path / "harm")
    payload = lambdas(lambda x: open(marker, "w"))[style]  # noqa: SIM115
    with pytest.raises(ValueError, match="without code"):
        harm.load(kind, tmp_path, harm.sequential(layer(style, payload)))
    with pytest.raises(ValueError, match="without code"):
        keras.layers.deserialize(layer(style, payload))
    with pytest.raises(ValueError, match="without code"):
        getattr(keras.layers, layer(style, payload)["class_name"]).from_config({"name": "l", **payload})
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("kind", ["keras", "h5", "config"])
@pytest.mark.parametrize("style", ["keras 3", "list", "keras 2"])
def test_bytecode_loads_where_the_caller_asks(tmp_path, kind, style):
    payload = lambdas(lambda x: x * np.float32(2))[style]
    model = harm.load(kind, tmp_path, harm.sequential(layer(style, payload)), safe_mode=False)
    assert float(model.layers[0].function(np.float32(3))) == 6.0


@pytest.mark.parametrize("kind", harm.FORMATS)
def test_bytecode_loads_after_enable_unsafe_deserialization(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(registry, "_unsafe_everywhere", False)
    keras.config.enable_unsafe_deserialization()
    model = harm.load(kind, tmp_path, harm.sequential(layer("", lambdas(lambda x: x)["keras 3"])))
    assert isinstance(model.layers[0].function, types.FunctionType)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_lambdas_of_ours_and_of_keras_load_where_the_caller_asks(real_keras, tmp_path, suffix):
    factor = 3.0
    for library in (keras, real_keras):
        layers = [library.Input((2,)), library.layers.Lambda(lambda x, y=2.0: x * y + factor, output_shape=(2,))]
        path = tmp_path / f"model.{suffix}"
        with pytest.warns(UserWarning) if library is keras else pytest.MonkeyPatch.context():
            library.Sequential(layers).save(path)
        with pytest.raises(ValueError, match="without code"):
            keras.models.load_model(path)
        loaded = keras.models.load_model(path, safe_mode=False)
        np.testing.assert_array_equal(loaded.predict(np.ones((1, 2), "f"), verbose=0), [[5.0, 5.0]])


def test_safe_mode_of_the_outermost_call_counts():
    described = layer("", lambdas(lambda x: x)["keras 3"])

    @keras.saving.register_keras_serializable("tests")
    class Sly(keras.layers.Layer):
        @classmethod
        def from_config(cls, config):
            return keras.saving.deserialize_keras_object(described, safe_mode=False)

    with pytest.raises(ValueError, match="without code"):
        keras.layers.deserialize({"class_name": "Sly", "registered_name": "tests>Sly", "config": {}})


NAMED = {
    "path": "{folder}/secret.txt",
    "url": "http://127.0.0.1:9/vocabulary.txt",
    "file url": "file://{folder}/secret.txt",
}


@pytest.mark.parametrize("kind", harm.FORMATS)
@pytest.mark.parametrize("name", ["StringLookup", "IntegerLookup", "TextVectorization"])
@pytest.mark.parametrize("path", NAMED)
def test_files_and_addresses_in_a_config_are_not_opened(tmp_path, monkeypatch, kind, name, path):
    (tmp_path / "secret.txt").write_text("1\n2\n")
    vocabulary = NAMED[path].format(folder=tmp_path)
    described = {"module": "keras.layers", "class_name": name, "config": {"name": "l", "vocabulary": vocabulary}}
    monkeypatch.setattr(socket.socket, "connect", lambda *args: pytest.fail("a connection"))
    with pytest.raises(ValueError, match="without code or paths"):
        harm.load(kind, tmp_path, harm.sequential(described))
    with pytest.raises(ValueError, match="without code or paths"):
        getattr(keras.layers, name).from_config({"vocabulary": vocabulary})
    with pytest.raises(ValueError, match="Received: 'TextVectorization', a class"):
        function = {"class_name": "function", "module": "keras.layers", "config": "TextVectorization"}
        config = {"name": "l", "function": function, "arguments": {"vocabulary": vocabulary}}
        harm.load(kind, tmp_path, harm.sequential(layer("", config)))
    if path == "path":
        assert getattr(keras.layers, name)(vocabulary=vocabulary).vocabulary_size() > 2  # the caller's own path


FOREIGN = [
    {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "gASVHQ=="}},
    {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/tmp/saved_model"}},
    {"module": "keras.layers", "class_name": "JaxLayer", "config": {"call_fn": "os.system"}},
    {"module": "keras.layers", "class_name": "FlaxLayer", "config": {"module": "os"}},
    {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://127.0.0.1:9/x"}},
    {"module": "keras.utils", "class_name": "Progbar", "config": {"target": 3}},
    {"module": "keras.applications", "class_name": "MobileNet", "config": {"weights": "imagenet"}},
    {"module": "keras.datasets.mnist", "class_name": "load_data", "config": {}},
    {"module": "keras.callbacks", "class_name": "CSVLogger", "config": {"filename": "harm"}},
    {"module": "keras.callbacks", "class_name": "BackupAndRestore", "config": {"backup_dir": "harm"}},
    {"module": "keras.config", "class_name": "set_floatx", "config": {"value": "float64"}},
    {"module": "keras.config", "class_name": "enable_unsafe_deserialization", "config": {}},
    {"module": "keras.models", "class_name": "load_model", "config": {"filepath": "x", "safe_mode": False}},
    {"module": "keras.src.saving.file_editor", "class_name": "KerasFileEditor", "config": {"filepath": "x"}},
    {"module": "builtins", "class_name": "open", "config": {"file": "harm", "mode": "w"}},
    {"module": "builtins", "class_name": "eval", "config": "1"},
]


@pytest.mark.parametrize("kind", harm.FORMATS)
@pytest.mark.parametrize("described", FOREIGN, ids=lambda d: d["class_name"])
def test_what_is_no_layer_is_not_built(tmp_path, monkeypatch, kind, described):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", lambda *args: pytest.fail("a connection"))
    monkeypatch.setattr(builtins, "__import__", _guarded(builtins.__import__, {"tensorflow", "harmful"}))
    before = settings()
    holds_code = described["class_name"] in ("TorchModuleWrapper", "TFSMLayer")
    for safe_mode in (True,) if holds_code else (True, False):
        for module in (described["module"], "keras.layers", "harmful"):
            arguments = {} if kind == "json" else {"safe_mode": safe_mode}
            with pytest.raises((ValueError, TypeError, RuntimeError)):
                harm.load(kind, tmp_path, harm.sequential({**described, "module": module}), **arguments)
    function = {"module": described["module"], "class_name": "function", "config": described["class_name"]}
    with pytest.raises(ValueError, match="Received: "):
        harm.load(kind, tmp_path, harm.sequential(layer("", {"function": function, "arguments": {}})))
    assert settings() == before
    assert not (tmp_path / "harm").exists()


def _guarded(original, names):
    def guard(name, *args, **kwargs):
        assert name.split(".")[0] not in names, f"imported {name}"
        return original(name, *args, **kwargs)

    return guard


def settings():
    policy = keras.config.dtype_policy().name
    return keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format(), policy, (
        keras.config.backend()), registry.is_unsafe_allowed()  # fmt: skip


@pytest.mark.parametrize("kind", harm.FORMATS)
@pytest.mark.parametrize("name", ["while_loop", "map", "scan", "cond", "vectorized_map", "custom_gradient", "no_op"])
def test_ops_that_call_functions_are_not_built(tmp_path, kind, name):
    pascal = "".join(part.capitalize() for part in name.split("_"))
    for operation in (
        {"module": "keras.ops", "class_name": "op", "config": {"function": name, "name": "op"}},
        {"module": "keras.src.ops.core", "class_name": pascal, "config": {"name": "op"}},
    ):
        with pytest.raises(ValueError, match="Expected an op|Expected the name of a function"):
            harm.load(kind, tmp_path, harm.functional(operation, [harm.X, harm.X]))


@keras.saving.register_keras_serializable("tests")
def doubled(x):
    return x + x


@pytest.mark.parametrize("kind", harm.FORMATS)
def test_a_map_is_loaded_with_the_function_that_the_program_has_registered(tmp_path, kind):
    inputs = keras.Input((10,))
    model = keras.Model(inputs, keras.ops.vectorized_map(doubled, inputs))
    x = np.ones((2, 10), "float32")
    config = model.get_config()
    np.testing.assert_array_equal(keras.Model.from_config(config).predict(x, verbose=0), 2 * x)
    operation = {"module": "keras.src.ops.core", "class_name": "VectorizedMap"}
    for name in ("os.system", "eval", "Dense", "not_registered"):
        function = {"module": __name__, "class_name": "function", "config": name, "registered_name": "function"}
        with pytest.raises(ValueError, match=f"Received: '{name}'"):
            harm.load(kind, tmp_path, harm.functional(operation | {"config": {"function": function}}, [harm.X]))


@pytest.mark.parametrize(
    "class_name, config",
    [
        ("Vander", {"N": 10**10}),
        ("Diff", {"n": 10**9}),
        ("Split", {"indices_or_sections": 10**9, "axis": 1}),
        ("STFT", {"sequence_length": 4, "sequence_stride": 1, "fft_length": 10**10}),
        ("Histogram", {"bins": 10**10}),
    ],
)
def test_settings_of_ops_that_would_take_memory_are_refused(tmp_path, class_name, config):
    operation = {"module": "keras.src.ops.numpy", "class_name": class_name, "config": config}
    with pytest.raises(ValueError, match="of at most"):
        harm.load("keras", tmp_path, harm.functional(operation, [harm.X]))


@pytest.mark.parametrize("kind", harm.FORMATS)
def test_a_registered_name_is_not_taken_by_another(tmp_path, kind):
    @keras.saving.register_keras_serializable("tests", "Dense")
    class Own(keras.layers.Layer):
        pass

    described = {"module": "keras.layers", "class_name": "Activation", "config": {"activation": "relu", "name": "a"}}
    built = harm.load(kind, tmp_path, harm.sequential(described)).layers[0]
    assert type(built) is keras.layers.Activation
    plain = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2}, "registered_name": None}
    assert type(keras.layers.deserialize(plain)) is keras.layers.Dense
    assert keras.saving.get_registered_object("tests>Dense") is Own


@pytest.mark.parametrize("kind", harm.FORMATS)
def test_configs_that_are_nested_too_deeply_are_refused(tmp_path, kind):
    deep = value = {}
    for _ in range(3000):
        value["a"] = {}
        value = value["a"]
    config = {"name": "l", "units": 2, "kernel_initializer": deep}
    layers = harm.sequential({"class_name": "Dense", "config": config})
    if kind == "config":
        with pytest.raises((ValueError, RecursionError)):
            harm.load(kind, tmp_path, layers)
        return
    text = json.dumps({"class_name": "Sequential", "config": {"layers": "@"}})
    with pytest.raises(ValueError):
        keras.models.model_from_json(text.replace('"@"', "[" * 100_000))


def test_the_arguments_of_compile_hold_no_code(tmp_path):
    marker = str(tmp_path / "harm")
    code = lambdas(lambda a, b: open(marker, "w"))["list"]["function"]  # noqa: SIM115
    path = harm.archive(tmp_path / "m.keras", harm.sequential(), compile_config={"optimizer": "sgd", "loss": code})
    with pytest.raises(ValueError, match="without code"):
        keras.models.load_model(path)
    assert not keras.models.load_model(path, compile=False).compiled


@pytest.mark.parametrize("argument", ["standardize", "split"])
def test_a_regular_expression_in_a_config_is_not_used(tmp_path, argument):
    described = {"class_name": "TextVectorization", "config": {"name": "l", argument: "(a+)+$", "vocabulary": ["a"]}}
    with pytest.raises(ValueError, match=argument):
        harm.load("keras", tmp_path, harm.sequential(described))


class _Slow(BaseException):
    """A load took too long."""


def numbers(config, path=()):
    """Paths of the integers in a config."""
    if isinstance(config, dict | list):
        for key, value in config.items() if isinstance(config, dict) else enumerate(config):
            yield from numbers(value, (*path, key))
    elif isinstance(config, int) and not isinstance(config, bool):
        yield path


def replaced(config, path, value):
    if not path:
        return value
    copy = dict(config) if isinstance(config, dict) else list(config)
    copy[path[0]] = replaced(config[path[0]], path[1:], value)
    return copy


def test_no_number_in_the_config_of_a_layer_takes_memory_or_time():
    """Every integer of every layer's config, one at a time, becomes 10 thousand million."""

    def stop(*args):
        raise _Slow("2 seconds")

    described = {}
    for case in CASES:
        made = case.make()
        made(*case.inputs())
        described[case.name] = json.loads(json.dumps(keras.saving.serialize_keras_object(made)))
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    limits, handler = resource.getrlimit(resource.RLIMIT_AS), signal.signal(signal.SIGALRM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (size + (512 << 20), limits[1]))
    problems, tried = [], 0
    try:
        for name, config in described.items():
            for path in numbers(config):
                tried += 1
                signal.setitimer(signal.ITIMER_REAL, 2)
                try:
                    keras.saving.deserialize_keras_object(replaced(config, path, 10**10))
                except (ValueError, TypeError, IndexError):
                    pass
                except (MemoryError, OverflowError, _Slow) as error:
                    problems.append((name, path, error))
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGALRM, handler)
    assert not problems
    assert tried > 500


@keras.saving.register_keras_serializable("tests")
def start_jax_layer(rng, inputs):
    import jax

    return {"kernel": jax.random.normal(rng, (inputs.shape[-1], 2))}


@keras.saving.register_keras_serializable("tests")
def call_jax_layer(params, inputs):
    return inputs @ params["kernel"]


def not_registered(params, inputs):
    return inputs


def test_a_layer_of_jax_functions_loads_where_the_program_has_registered_them(tmp_path):
    pytest.importorskip("jax")
    x = np.ones((2, 3), "float32")
    with keras.backends.use("jax"):
        layers = [keras.Input((3,)), keras.layers.JaxLayer(call_jax_layer, start_jax_layer, seed=1)]
        model = keras.Sequential(layers)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
        config = model.layers[0].get_config()
        for name in ("not_registered", "os.system", "eval", f"{__name__}.not_registered"):
            function = {"module": __name__, "class_name": "function", "config": name, "registered_name": "function"}
            with pytest.raises(ValueError, match=f"Received: '{name}'"):
                keras.layers.JaxLayer.from_config(config | {"call_fn": function})
        with pytest.raises(TypeError, match="`call_fn` to be a function. Received: 'os.system'"):
            keras.layers.JaxLayer.from_config(config | {"call_fn": "os.system"})
        with pytest.raises(ValueError, match="not_registered"):
            loaded.layers[0].call_fn = not_registered
            keras.layers.JaxLayer.from_config(loaded.layers[0].get_config())


def test_a_flax_module_loads_where_the_program_has_registered_its_class(tmp_path):
    linen = pytest.importorskip("flax.linen")

    @keras.saving.register_keras_serializable("tests")
    class Scaled(linen.Module):
        units: int

        @linen.compact
        def __call__(self, inputs):
            return linen.Dense(self.units)(inputs)

        def get_config(self):
            return {"units": self.units}

        @classmethod
        def from_config(cls, config):
            return cls(**config)

    x = np.ones((2, 3), "float32")
    with keras.backends.use("jax"):
        model = keras.Sequential([keras.Input((3,)), keras.layers.FlaxLayer(Scaled(2))])
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
        with pytest.raises(NotImplementedError, match="module with get_config.*Received: .*Dense"):
            keras.layers.FlaxLayer(linen.Dense(2)).get_config()


def test_a_torch_module_loads_where_the_caller_asks(tmp_path):
    torch = pytest.importorskip("torch")
    x = np.ones((2, 3), "float32")
    with keras.backends.use("torch"):
        model = keras.Sequential([keras.Input((3,)), keras.layers.TorchModuleWrapper(torch.nn.Linear(3, 2))])
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=False)
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    for name in keras.backends.available():
        with keras.backends.use(name), pytest.raises(ValueError, match="safe_mode=False"):
            keras.models.load_model(tmp_path / "model.keras")


def test_a_saved_model_loads_where_the_caller_asks(tmp_path):
    tf = pytest.importorskip("tensorflow")
    module, x = tf.Module(), np.ones((2, 3), "float32")
    module.serve = tf.function(lambda x: 2.0 * x, input_signature=[tf.TensorSpec((None, 3), tf.float32)])
    tf.saved_model.save(module, str(tmp_path / "saved"))
    with keras.backends.use("tensorflow"):
        keras.Sequential([keras.Input((3,)), keras.layers.TFSMLayer(tmp_path / "saved")]).save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=False)
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), 2 * x)
    for name in keras.backends.available():
        with keras.backends.use(name), pytest.raises(ValueError, match="safe_mode=False"):
            keras.models.load_model(tmp_path / "model.keras")


def test_a_flax_module_says_what_to_do_instead(tmp_path):
    flax = pytest.importorskip("flax")
    with keras.backends.use("jax"):
        model = keras.Sequential([keras.layers.FlaxLayer(flax.linen.Dense(2))])
        with pytest.raises(NotImplementedError, match="save_weights and model.load_weights"):
            model.save(tmp_path / "model.keras")
