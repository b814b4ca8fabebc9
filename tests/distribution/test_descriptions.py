"""Meshes, layouts, maps of layouts and distributions, on all backends."""

import os

import numpy as np
import pytest

import polykeras as keras
from polykeras import distribution
from polykeras.compat.keras3 import paths

EIGHT = [f"cpu:{i}" for i in range(8)]


def mesh_of_eight():
    return distribution.DeviceMesh((2, 4), ["batch", "model"], EIGHT)


def test_devices_are_listed_by_kind(backend):
    assert "cpu:0" in distribution.list_devices("CPU") and distribution.list_devices("cpu")[0] == "cpu:0"
    assert distribution.get_device_count("cpu") == len(distribution.list_devices("cpu"))
    assert distribution.list_devices("tpu") == []
    kinds = {name.partition(":")[0] for name in distribution.list_devices()}
    assert len(kinds) == 1


def test_a_mesh_arranges_devices(backend):
    mesh = mesh_of_eight()
    assert (mesh.shape, mesh.axis_names, mesh.devices.shape) == ((2, 4), ["batch", "model"], (2, 4))
    assert mesh.devices[1].tolist() == EIGHT[4:]
    for shape, names in (((), []), ((8,), ""), ((4, 2), ["batch"]), ((3, 2), ["batch", "model"])):
        with pytest.raises(ValueError, match="Expected"):
            distribution.DeviceMesh(shape, names, EIGHT)


def test_a_layout_names_axes_of_its_mesh(backend):
    layout = distribution.TensorLayout(["batch", None])
    assert layout.axes == ("batch", None) and layout.device_mesh is None
    with pytest.raises(ValueError, match="a layout with a mesh"):
        print(layout.backend_layout)
    layout.device_mesh = mesh = mesh_of_eight()
    assert layout.device_mesh is mesh
    with pytest.raises(ValueError, match="without a mesh"):
        layout.device_mesh = mesh
    with pytest.raises(ValueError, match="'elsewhere'"):
        distribution.TensorLayout(["elsewhere"], mesh)
    late = distribution.TensorLayout(["elsewhere"])
    with pytest.raises(ValueError, match="'elsewhere'"):
        late.device_mesh = mesh


def test_a_map_finds_layouts_by_regular_expressions(backend):
    layouts = distribution.LayoutMap(mesh_of_eight())
    layouts["dense/kernel"] = layout = distribution.TensorLayout((None, "model"))
    layouts[".*conv.*"] = ("model",)
    assert layouts["dense/kernel"] is layout and layout.device_mesh is layouts.device_mesh
    assert layouts["a/conv_1/bias"].axes == ("model",) and layouts["other"] is None
    assert list(layouts) == ["dense/kernel", ".*conv.*"] and len(layouts) == 2
    with pytest.raises(ValueError, match="Delete it first"):
        layouts["dense/kernel"] = (None,)
    with pytest.raises(ValueError, match="TensorLayout"):
        layouts["list"] = ["model"]
    layouts[".*bias"] = (None,)
    with pytest.raises(ValueError, match="at most one rule"):
        print(layouts["a/conv_1/bias"])
    assert layouts.pop("dense/kernel") is layout
    with pytest.raises(KeyError):
        layouts.pop("conv_1")


def test_data_parallelism_divides_rows_and_copies_variables(backend):
    plan = distribution.DataParallel(devices=EIGHT)
    assert plan.get_data_layout((16, 3, 3)).axes == ("batch", None, None)
    variable = keras.Variable(np.zeros((2, 3)))
    assert plan.get_variable_layout(variable).axes == (None, None)
    assert plan.get_tensor_layout("dense/output") is None
    assert (plan.num_model_replicas, plan.num_processes, plan.data_shard_id, plan.batch_dim_name) == (8, 1, 0, "batch")
    assert distribution.DataParallel().device_mesh.devices.tolist() == distribution.list_devices()
    with pytest.warns(UserWarning, match="one axis"):
        assert distribution.DataParallel(mesh_of_eight()).batch_dim_name == "batch"
    with pytest.raises(ValueError, match="DeviceMesh"):
        distribution.DataParallel(device_mesh=EIGHT)


def test_model_parallelism_splits_variables_by_path(backend):
    layouts = distribution.LayoutMap(mesh_of_eight())
    layouts[".*kernel"] = (None, "model")
    layouts["dense/output"] = ("batch", None)
    plan = distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch")
    kernel, bias = keras.Variable(np.zeros((2, 4)), name="kernel"), keras.Variable(np.zeros(4), name="bias")
    assert plan.get_variable_layout(kernel).axes == (None, "model")
    assert plan.get_variable_layout(bias).axes == (None,)
    assert plan.get_tensor_layout("dense/output").axes == ("batch", None)
    assert plan.num_model_replicas == 2 and distribution.ModelParallel(layout_map=layouts).batch_dim_name == "batch"
    own = distribution.TensorLayout(("batch", None), mesh_of_eight())
    kernel._layout = own
    assert plan.get_variable_layout(kernel) is own
    with pytest.raises(ValueError, match="LayoutMap"):
        distribution.ModelParallel(layout_map=None)


def test_scopes_nest(backend):
    one, other = distribution.Distribution(mesh_of_eight()), distribution.DataParallel(devices=EIGHT)
    with one.scope():
        with other.scope():
            assert distribution.distribution() is other
        assert distribution.distribution() is one
    assert distribution.distribution() is None
    with pytest.raises(ValueError, match="Distribution"):
        distribution.set_distribution("all")


def test_a_model_trains_over_one_device_as_without_a_distribution(backend):
    def losses(plan):
        keras.utils.set_random_seed(5)
        distribution.set_distribution(plan)
        try:
            model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(1)])
            model.compile("adam", "mse", metrics=["mae"])
            x = np.linspace(0, 1, 80).reshape(20, 4).astype("float32")
            history = model.fit(x, x.sum(1), batch_size=8, epochs=2, verbose=0).history
            batch = model.train_on_batch(x[:3], x[:3].sum(1))[0]
            return [*history["loss"], batch, *model.evaluate(x, x.sum(1), verbose=0)], model.predict(x, verbose=0)
        finally:
            distribution.set_distribution(None)

    layouts = distribution.LayoutMap(distribution.DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"]))
    layouts[".*kernel"] = (None, "model")
    expected = losses(None)
    for plan in (distribution.DataParallel(devices=["cpu:0"]), distribution.ModelParallel(layout_map=layouts)):
        for one, other in zip(losses(plan), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize("engine", ["numpy", "torch", "tensorflow"])
def test_other_engines_than_jax_refuse_several_devices_where_they_would_use_them(engine):
    pytest.importorskip(engine)
    plan = distribution.DataParallel(devices=EIGHT)
    with keras.backends.use(engine), plan.scope():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        with pytest.raises(NotImplementedError, match="KERAS_BACKEND=jax"):
            model.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0)
    with keras.backends.use(engine), pytest.raises(NotImplementedError, match="several"):
        distribution.initialize("localhost:1234", 2, 0)


def test_symbolic_tensors_keep_their_layout(backend):
    x = keras.Input((3,))
    layout = distribution.TensorLayout(("batch", None), mesh_of_eight())
    assert distribution.distribute_tensor(x, layout) is x


def test_one_process_needs_no_addresses(monkeypatch):
    for name in ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID"):
        monkeypatch.delenv(f"KERAS_DISTRIBUTION_{name}", raising=False)
    keras.utils.set_random_seed(1)
    expected = keras.random.randint((4,), 0, 1000)
    keras.utils.set_random_seed(1)
    with keras.backends.use("numpy"):
        distribution.initialize()
    np.testing.assert_array_equal(keras.random.randint((4,), 0, 1000), expected)
    monkeypatch.setitem(os.environ, "KERAS_DISTRIBUTION_NUM_PROCESSES", "2")
    with keras.backends.use("numpy"), pytest.raises(NotImplementedError, match="one process"):
        distribution.initialize()


class Plan(distribution.Distribution):
    """A distribution of several processes, none of which are there."""

    def __init__(self, replicas, processes, process):
        super().__init__(mesh_of_eight(), "batch")
        self._num_processes, self._process_id, self._is_multi_process = processes, process, True
        self._replicas = replicas

    @property
    def num_model_replicas(self):
        return self._replicas


@pytest.mark.parametrize(
    ("replicas", "processes", "parts"),
    [
        (4, 2, [[0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]]),
        (2, 4, [[0, 1, 2, 3, 8, 9, 10, 11]] * 2 + [[4, 5, 6, 7, 12, 13, 14, 15]] * 2),
        (1, 2, [list(range(16))] * 2),
    ],
)
def test_a_dataset_is_divided_among_processes(replicas, processes, parts):
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.range(16).batch(8)
    for process, expected in enumerate(parts):
        found = Plan(replicas, processes, process).distribute_dataset(dataset)
        assert np.concatenate(list(found.as_numpy_iterator())).tolist() == expected


def test_datasets_that_cannot_be_divided_are_refused():
    tf = pytest.importorskip("tensorflow")
    plan = Plan(4, 2, 0)
    for dataset, text in (
        (tf.data.Dataset.range(16).batch(7), "divisible by 2"),
        (tf.data.Dataset.range(16), "one of rows"),
        ([1, 2], "tf.data.Dataset"),
    ):
        with pytest.raises(ValueError, match=text):
            plan.distribute_dataset(dataset)
    plan.auto_shard_dataset = False
    assert plan.distribute_dataset([1, 2]) == [1, 2]


def test_the_old_path_of_keras_leads_here():
    assert paths.homes_of("distribution.distribution_lib")[0] == "polykeras.distribution"
