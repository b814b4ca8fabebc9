"""Every kind of data that a user may pass, on every backend: the same batches, the same curve, nothing left behind."""

import importlib.util
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import tracemalloc

import h5py
import numpy as np
import pytest

import polykeras as keras
from polykeras import layers
from polykeras.training.data import sources as source_module
from polykeras.training.data.sources import make_source

ROWS, SIZE = 40, 8
X = np.random.default_rng(0).normal(size=(ROWS, 4)).astype("float32")
X[::3, 1] = 0
Y = (X @ np.array([[1.0], [-2.0], [0.5], [3.0]]) + 0.5).astype("float32")


def linear(**arguments):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile(**{"optimizer": keras.optimizers.SGD(0.05), "loss": "mse", **arguments})
    return model


class Recorder(keras.Model):
    """Keeps the first column of each batch that it is trained on; runs on NumPy."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.loss_sum = keras.metrics.Mean(name="loss_sum")
        self.compile("sgd")

    def call(self, x):
        return x

    def train_step(self, data):
        x = keras.utils.unpack_x_y_sample_weight(data)[0]
        self.loss_sum.update_state(x)
        if not keras.backends.current().is_symbolic:
            self.seen.append(np.asarray(x)[:, 0].astype(int).tolist())
        return {"loss_sum": self.loss_sum.result()}


def seen(x, **arguments):
    model = Recorder()
    model.fit(x, verbose=0, **arguments)
    return model.seen


class Batches(keras.utils.PyDataset):
    """The rows of X and Y, or of what is given, in batches."""

    def __init__(self, x=X, y=Y, size=SIZE, **arguments):
        super().__init__(**arguments)
        self.x, self.y, self.size, self.events = x, y, size, []

    def __len__(self):
        return -(-len(self.x) // self.size)

    def __getitem__(self, index):
        self.events.append(index)
        part = slice(index * self.size, (index + 1) * self.size)
        return self.x[part] if self.y is None else (self.x[part], self.y[part])

    def on_epoch_begin(self):
        self.events.append("begin")

    def on_epoch_end(self):
        self.events.append("end")


class Counted:
    """An array that can only be sliced, or read at rising places, and counts what is read."""

    def __init__(self, array):
        self._array, self.shape, self.dtype = array, array.shape, array.dtype
        self.reads = []

    def __array__(self, *arguments, **options):
        raise AssertionError("loaded whole")

    def __len__(self):
        return len(self._array)

    def __getitem__(self, key):
        if not isinstance(key, slice):
            assert (np.diff(key) > 0).all()
        result = self._array[key]
        self.reads.append(len(result))
        return result


class Duck:
    """What a Sequence of another library looks like."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


class Iterable(Duck):
    """What a grain dataset looks like: it has its own order."""

    def __iter__(self):
        return iter(self.batches)


PAIRS = [(X[i : i + SIZE], Y[i : i + SIZE]) for i in range(0, ROWS, SIZE)]


def endless():
    while True:
        yield from PAIRS


def sources(folder):
    """Name and arguments of ``fit`` for every kind of source."""
    memory = np.memmap(folder / "x.bin", "float32", "w+", shape=X.shape)
    memory[:] = X
    memory.flush()
    file = h5py.File(folder / "data.h5", "w")
    file["x"], file["y"] = X, Y
    yield "arrays", (X, Y)
    yield "float64", (X.astype("float64"), Y.astype("float64"))
    yield "lists", (X.tolist(), Y.tolist())
    yield "memmap", (np.memmap(folder / "x.bin", "float32", "r", shape=X.shape), Y)
    yield "h5py", (file["x"], file["y"])
    yield "counted", (Counted(X), Counted(Y))
    yield "endless generator", (endless(), None, 5)
    yield "dataset", (Batches(),)
    yield "dataset with threads", (Batches(workers=3),)
    yield "duck-typed sequence", (Duck(PAIRS),)
    yield "iterable", (Iterable(PAIRS),)
    yield "lists as batches", (Duck([list(pair) for pair in PAIRS]),)
    if has("keras"):
        yield "dataset of real Keras", (of_real_keras(),)
    if has("pandas"):
        import pandas

        yield "frame and series", (pandas.DataFrame(X, columns=list("abcd")), pandas.Series(Y[:, 0]))
    if has("scipy"):
        import scipy.sparse

        yield "sparse rows", (scipy.sparse.csr_matrix(X), Y)
        yield "sparse coordinates", (scipy.sparse.coo_array(X), Y)
    if has("torch"):
        import torch

        pair = torch.tensor(X, requires_grad=True), torch.tensor(Y)
        yield "torch", pair
        rows = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
        yield "torch DataLoader", (torch.utils.data.DataLoader(rows, SIZE),)
    if has("jax"):
        import jax.numpy

        yield "jax", (jax.numpy.asarray(X), jax.numpy.asarray(Y))
    if has("tensorflow"):
        import tensorflow

        yield "tensorflow", (tensorflow.constant(X), tensorflow.constant(Y))
        dataset = tensorflow.data.Dataset.from_tensor_slices((X, Y)).batch(SIZE)
        yield "tf.data", (dataset,)
        yield "endless tf.data", (dataset.repeat(), None, 5)


def of_real_keras():
    import keras as real_keras

    class Own(real_keras.utils.PyDataset):
        def __len__(self):
            return len(PAIRS)

        def __getitem__(self, index):
            return PAIRS[index]

    return Own(workers=2)


def has(name):
    return importlib.util.find_spec(name) is not None


def test_every_source_gives_the_curve_of_arrays_in_memory(backend, tmp_path):
    model = linear()
    start = model.get_weights()
    expected = model.fit(X, Y, SIZE, 2, shuffle=False, verbose=0).history["loss"]
    assert expected[1] < expected[0] / 2
    for name, (x, *rest) in sources(tmp_path):
        y, steps = (*rest, None, None)[:2]
        model.set_weights(start)
        options = {"y": y, "batch_size": SIZE} if y is not None else {"steps_per_epoch": steps}
        losses = model.fit(x, epochs=2, shuffle=False, verbose=0, **options).history["loss"]
        np.testing.assert_allclose(losses, expected, rtol=1e-5, err_msg=name)


def test_every_source_is_evaluated_and_predicted(backend, tmp_path):
    model = linear()
    kernel, bias = model.get_weights()
    outputs = X @ kernel + bias
    loss = ((outputs - Y) ** 2).mean()
    for name, (x, *rest) in sources(tmp_path):
        y, steps = (*rest, None, None)[:2]
        options = {"batch_size": SIZE} if y is not None else {"steps": steps}
        np.testing.assert_allclose(model.evaluate(x, y, verbose=0, **options), loss, rtol=1e-5, err_msg=name)
        if "generator" not in name:
            found = model.predict(x, verbose=0, **options)
            np.testing.assert_allclose(found, outputs, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("shuffle", [True, "batch"])
def test_shuffled_rows_come_in_the_same_order_from_memory_and_from_disk(backend, tmp_path, shuffle):
    (_, memory), (_, file), (_, counted) = [s for s in sources(tmp_path) if s[0] in ("memmap", "h5py", "counted")]
    model = linear()
    start = model.get_weights()

    def curve(x, y, **options):
        model.set_weights(start)
        keras.utils.set_random_seed(3)
        return model.fit(x, y, 7, 3, shuffle=shuffle, verbose=0, **options).history

    expected = curve(X, Y, validation_split=0.25)
    for x, y in (memory, file, counted):
        found = curve(x, y, validation_split=0.25)
        np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-5)
        np.testing.assert_allclose(found["val_loss"], expected["val_loss"], rtol=1e-5)


@pytest.mark.parametrize("shuffle", [False, True, "batch"])
def test_arrays_on_disk_are_read_once_an_epoch_a_batch_at_a_time(shuffle):
    x, y = Counted(X), Counted(Y)
    linear().fit(x, y, SIZE, 3, shuffle=shuffle, verbose=0)
    assert x.reads == y.reads == [SIZE] * 15


def test_a_part_for_validation_is_cut_without_reading_it():
    x = Counted(X)
    linear().fit(x, Y, SIZE, 1, shuffle=False, verbose=0, validation_split=0.2)
    assert x.reads == [8, 8, 8, 8, 8]


def test_memory_is_shared_or_copied_once(backend):
    x = np.zeros((1000, 250), "float32")
    shares = np.shares_memory(backend.to_numpy(make_source((x, None, None)).device_data[0]), x)
    assert shares or backend.name in ("tensorflow", "jax")
    with keras.backends.use("numpy"):
        x = x.astype("float64")
        tracemalloc.start()
        source = make_source((x, None, None), batch_size=100)
        list(source.batches())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert 1e6 <= peak < 1.3e6  # one copy in float32


def test_data_too_large_for_the_device_stays_on_the_host(monkeypatch):
    expected = linear().fit(X, Y, SIZE, 2, verbose=0).history["loss"]
    monkeypatch.setattr(source_module, "_MOST_BYTES_ON_DEVICE", 100)
    assert not hasattr(make_source((X, Y, None)), "device_data")
    np.testing.assert_allclose(linear().fit(X, Y, SIZE, 2, verbose=0).history["loss"], expected, rtol=1e-5)


def test_columns_of_a_frame_are_inputs_by_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": [1, 2, 3], "is_new": [True, False, True], "size": [0.5, 1.5, 2.5]})
    inputs = {name: keras.Input((1,), name=name) for name in frame}
    model = keras.Model(inputs, layers.Add()([layers.Rescaling(1.0)(x) for x in inputs.values()]))
    np.testing.assert_allclose(model.predict(dict(frame), verbose=0), [[2.5], [3.5], [6.5]])
    mixed = linear_of(3).predict(frame, verbose=0)
    assert mixed.shape == (3, 1) and np.isfinite(mixed).all()


def linear_of(size):
    return keras.Sequential([keras.Input((size,)), layers.Dense(1)])


def test_one_batch_may_be_tensors_of_another_framework_or_a_frame(backend):
    model = linear()
    expected = model.test_on_batch(X, Y)
    kinds = [value for name, value in sources_in_memory() if name != backend.name]
    for x, y in kinds:
        np.testing.assert_allclose(model.test_on_batch(x, y), expected, rtol=1e-5)
        assert model.predict_on_batch(x).shape == (ROWS, 1)


def sources_in_memory():
    if has("torch"):
        import torch

        yield "torch", (torch.tensor(X), torch.tensor(Y))
    if has("jax"):
        import jax.numpy

        yield "jax", (jax.numpy.asarray(X), jax.numpy.asarray(Y))
    if has("pandas"):
        import pandas

        yield "pandas", (pandas.DataFrame(X), pandas.DataFrame(Y))


# ------------------------------------------------------------ epochs and steps

TEN = np.arange(10.0)[:, None]


def of_ten(kind):
    return {
        "arrays": lambda: {"x": TEN, "batch_size": 2},
        "dataset": lambda: {"x": Batches(TEN, None, 2)},
        "iterable": lambda: {"x": Iterable([TEN[i : i + 2] for i in range(0, 10, 2)])},
        "generator": lambda: {"x": (TEN[i : i + 2] for i in range(0, 10, 2))},
    }[kind]()


@pytest.mark.parametrize("kind", ["arrays", "dataset", "iterable", "generator"])
def test_short_epochs_go_on_where_the_last_one_ended(kind):
    # As in Keras 3.15.1: the pass ends in the third epoch, which is short, with a warning.
    with pytest.warns(UserWarning, match="ran out of data.*1 of 2 batches"):
        batches = seen(**of_ten(kind), epochs=3, steps_per_epoch=2, shuffle=False)
    assert batches == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


@pytest.mark.parametrize("kind", ["arrays", "dataset", "iterable"])
def test_more_steps_than_batches_end_each_epoch_with_a_warning(kind):
    with pytest.warns(UserWarning, match="ran out of data.*5 of 7 batches"):
        batches = seen(**of_ten(kind), epochs=2, steps_per_epoch=7, shuffle=False)
    assert batches == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]] * 2


def test_a_generator_that_ends_early_ends_training_with_a_warning():
    model = Recorder()
    with pytest.warns(UserWarning, match="ran out of data"):
        history = model.fit(**of_ten("generator"), epochs=4, verbose=0)
    assert history.epoch == [0] and len(model.seen) == 5


def test_validation_on_fewer_steps_starts_from_the_same_batch_each_time():
    dataset = Batches()
    history = linear().fit(X, Y, epochs=2, verbose=0, validation_data=dataset, validation_steps=2)
    assert [event for event in dataset.events if event not in ("begin", "end")] == [0, 1, 0, 1]
    assert len(history.history["val_loss"]) == 2


def test_an_evaluation_that_stops_early_starts_anew_next_time():
    class Stop(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            self.model.stop_evaluating = True

    dataset = Batches(workers=2, max_queue_size=1)
    threads = threading.enumerate()
    linear().fit(X, Y, epochs=2, verbose=0, validation_data=dataset, callbacks=[Stop()])
    assert dataset.events.count(0) == 2 and 2 not in dataset.events
    assert_nothing_runs(threads)


def test_a_dataset_is_told_of_epochs_and_its_batches_are_shuffled_anew():
    dataset = Batches(TEN, None, 2)
    seen(dataset, epochs=2, shuffle=False)
    assert dataset.events == ["begin", 0, 1, 2, 3, 4, "end"] * 2
    keras.utils.set_random_seed(5)
    shuffled = seen(Batches(TEN, None, 2), epochs=2)
    assert sorted(shuffled[:5]) == sorted(shuffled[5:]) == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert shuffled[:5] != shuffled[5:]
    keras.utils.set_random_seed(5)
    assert seen(Batches(TEN, None, 2), epochs=2) == shuffled


def test_shuffling_by_batch_keeps_neighbours_together():
    batches = seen(TEN, batch_size=4, epochs=3, shuffle="batch")
    assert all(sorted(batches[e * 3 : e * 3 + 2]) == [[0, 1, 2, 3], [4, 5, 6, 7]] for e in range(3))
    assert [batches[e * 3 + 2] for e in range(3)] == [[8, 9]] * 3


def test_endless_datasets_need_a_number_of_steps():
    class Endless(keras.utils.PyDataset):
        num_batches = None

        def __getitem__(self, index):
            return np.full((1, 1), index)

    assert seen(Endless(), steps_per_epoch=2, epochs=2) == [[0], [1], [2], [3]]
    with pytest.raises(ValueError, match="steps_per_epoch .* for endless data"):
        seen(Endless())


def test_a_dataset_that_grows_between_epochs_is_read_in_full():
    class Growing(Batches):
        def on_epoch_end(self):
            self.x = np.concatenate([self.x, self.x[-2:] + 2])

    assert seen(Growing(TEN[:2], None, 2), epochs=3, shuffle=False) == [[0, 1], [0, 1], [2, 3], [0, 1], [2, 3], [4, 5]]


def test_limits_of_epochs_and_steps_hold_everywhere(monkeypatch):
    keras.config.set_max_epochs(2)
    keras.config.set_max_steps_per_epoch(3)
    try:
        with pytest.warns(UserWarning, match="Limiting (epochs to 2|steps_per_epoch to 3)"):
            history = linear().fit(X, Y, SIZE, 9, shuffle=False, verbose=0)
        assert history.epoch == [0, 1]
        with pytest.warns(UserWarning, match="Limiting steps_per_epoch to 3"):
            assert len(linear().predict(X, SIZE, verbose=0)) == 3 * SIZE
    finally:
        keras.config.set_max_epochs(None)
        keras.config.set_max_steps_per_epoch(None)
    for wrong in (0, -1, 1.5, "2"):
        with pytest.raises(ValueError, match="max_epochs"):
            keras.config.set_max_epochs(wrong)


def test_limits_come_from_the_environment():
    code = "from polykeras import config; print(config.max_epochs(), config.max_steps_per_epoch())"
    environment = {"KERAS_MAX_EPOCHS": "3", "KERAS_MAX_STEPS_PER_EPOCH": "7", "PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["3", "7"]


# --------------------------------------------------------------------- workers


class Watched(Batches):
    """Notes the thread and process that prepares each batch; some are slow, one may fail."""

    def __init__(self, fails=None, **arguments):
        super().__init__(**arguments)
        self.fails, self.threads = fails, set()

    def __getitem__(self, index):
        self.threads.add(threading.current_thread().name)
        if index == self.fails:
            raise OSError(f"cannot read image {index}")
        time.sleep(0.002 * (len(self) - index))
        return super().__getitem__(index)


WORKERS = [{"workers": 3}, {"workers": 3, "max_queue_size": 1}, {"workers": 2, "use_multiprocessing": True}]


def assert_nothing_runs(threads):
    assert threading.enumerate() == threads
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("arguments", WORKERS, ids=str)
def test_workers_keep_the_order_and_leave_nothing_behind(arguments):
    threads = threading.enumerate()
    expected = linear().fit(X, Y, SIZE, 2, shuffle=False, verbose=0).history["loss"]
    dataset = Watched(**arguments)
    losses = linear().fit(dataset, epochs=2, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    assert "MainThread" not in dataset.threads
    assert_nothing_runs(threads)


def test_workers_given_to_fit_come_before_the_datasets_own():
    dataset = Watched()
    linear().fit(dataset, verbose=0)
    assert dataset.threads == {"MainThread"}
    dataset.threads.clear()
    linear().fit(dataset, workers=2, use_multiprocessing=False, max_queue_size=2, verbose=0)
    assert dataset.threads and "MainThread" not in dataset.threads


@pytest.mark.parametrize("arguments", [{}, *WORKERS], ids=str)
def test_an_exception_in_a_batch_reaches_the_user_with_its_traceback(arguments):
    threads = threading.enumerate()
    with pytest.raises(OSError, match="cannot read image 3") as caught:
        linear().fit(Watched(fails=3, **arguments), shuffle=False, verbose=0)
    text = "".join(traceback.format_exception(caught.value))
    assert 'raise OSError(f"cannot read image {index}")' in text
    assert_nothing_runs(threads)


class Interrupt(keras.callbacks.Callback):
    """Ends training after the second batch, in one way or another."""

    def __init__(self, how):
        super().__init__()
        self.how = how

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1 and self.how == "stop":
            self.model.stop_training = True
        elif batch == 1:
            raise self.how


@pytest.mark.parametrize("arguments", WORKERS, ids=str)
@pytest.mark.parametrize("how", ["stop", ZeroDivisionError, KeyboardInterrupt])
def test_workers_end_when_training_ends_early(arguments, how):
    threads = threading.enumerate()
    model, error = linear(), None
    try:
        model.fit(Watched(**arguments), epochs=3, verbose=0, callbacks=[Interrupt(how)])
    except (ZeroDivisionError, KeyboardInterrupt) as caught:
        error = caught  # keeps the frames of training alive, as an interactive session does
    assert (error is None) == (how == "stop")
    assert_nothing_runs(threads)


@pytest.mark.parametrize("arguments", WORKERS[::2], ids=str)
def test_ctrl_c_while_waiting_for_a_batch_ends_the_workers(arguments):
    class Slow(Batches):
        def __getitem__(self, index):
            time.sleep(0.5)
            return super().__getitem__(index)

    threads = threading.enumerate()
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        linear().fit(Slow(**arguments), epochs=50, verbose=0)
    timer.join()
    assert_nothing_runs(threads)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [(WORKERS[0], threading.Thread), (WORKERS[2], multiprocessing.process.BaseProcess)],
    ids=["threads", "processes"],
)
def test_ctrl_c_while_workers_start_leaves_none_behind(arguments, kind, monkeypatch):
    start, threads = kind.start, threading.enumerate()

    def start_and_interrupt(worker):
        start(worker)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(kind, "start", start_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        linear().fit(Batches(**arguments), verbose=0)
    assert_nothing_runs(threads)


class Augmented(Batches):
    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return x + np.random.normal(size=x.shape), y


def test_processes_draw_the_same_numbers_however_many_there_are():
    def curve(workers):
        dataset = Augmented(workers=workers, use_multiprocessing=True)
        return linear().fit(dataset, epochs=2, shuffle=False, verbose=0).history["loss"]

    assert curve(1) == curve(3)
    first, second = Augmented(workers=2, use_multiprocessing=True), Batches()
    noise = [a[0] - b[0] for a, b in zip(read_all(first), read_all(second), strict=True)]
    assert all(not np.allclose(noise[0], other) for other in noise[1:])


def read_all(dataset):
    from polykeras.training.data.datasets import workers_of
    from polykeras.training.data.workers import ordered, reader

    return list(ordered(reader(dataset), range(len(dataset)), workers_of(dataset)))


def test_a_dataset_without_super_init_works_and_one_without_len_is_endless():
    class Plain(keras.utils.Sequence):
        def __init__(self):
            pass

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return PAIRS[index]

    linear().fit(Plain(), verbose=0)
    assert len(list(Plain())) == 2

    class Endless(keras.utils.PyDataset):
        def __getitem__(self, index):
            return PAIRS[0]

    assert len(list(itertools.islice(Endless(), 5))) == 5
    history = linear().fit(Endless(), steps_per_epoch=3, verbose=0)
    assert len(history.history["loss"]) == 1
    with pytest.raises(ValueError, match="steps_per_epoch .* for endless data"):
        linear().fit(Endless(), verbose=0)


def test_a_batch_size_beside_a_dataset_is_left_to_the_dataset(backend):
    class Plain(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return PAIRS[index]

    model = linear()
    model.fit(Plain(), batch_size=1, verbose=0)
    assert int(model.optimizer.iterations.numpy()) == 2
    assert len(model.predict(Plain(), batch_size=1, verbose=0)) == sum(len(x) for x, _ in PAIRS[:2])


# --------------------------------------------------------------------- Keras 2


def test_the_generator_methods_of_keras_2_do_what_fit_evaluate_and_predict_do():
    model, reference = linear(), linear()
    options = {"epochs": 2, "initial_epoch": 1, "shuffle": False}
    found = model.fit_generator(
        Watched(),
        4,
        verbose=0,
        validation_data=Batches(),
        validation_steps=2,
        validation_freq=[2],
        workers=2,
        **options,
    )
    expected = reference.fit(
        Batches(), steps_per_epoch=4, verbose=0, validation_data=Batches(), validation_steps=2, **options
    )
    assert found.epoch == [1]
    np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-6)
    np.testing.assert_allclose(found.history["val_loss"], expected.history["val_loss"], rtol=1e-6)
    np.testing.assert_allclose(
        model.evaluate_generator(endless(), steps=5), reference.evaluate(X, Y, verbose=0), rtol=1e-5
    )
    np.testing.assert_allclose(
        model.predict_generator(Batches(y=None), max_queue_size=2, workers=2),
        reference.predict(X, verbose=0),
        rtol=1e-5,
    )


def test_keras_1_spellings_still_train():
    history = linear().fit(Batches(), nb_epoch=2, max_q_size=3, pickle_safe=False, verbose=0)
    assert history.epoch == [0, 1]


def test_class_weights_apply_to_what_a_dataset_yields():
    labels = np.arange(ROWS) % 2
    weights = np.where(labels == 1, 3.0, 1.0)
    stream = linear().fit(Batches(y=labels), class_weight={0: 1.0, 1: 3.0}, shuffle=False, verbose=0)
    arrays = linear().fit(X, labels, SIZE, sample_weight=weights, shuffle=False, verbose=0)
    on_disk = linear().fit(Counted(X), Counted(labels), SIZE, class_weight={0: 1.0, 1: 3.0}, shuffle=False, verbose=0)
    np.testing.assert_allclose(stream.history["loss"], arrays.history["loss"], rtol=1e-6)
    np.testing.assert_allclose(on_disk.history["loss"], arrays.history["loss"], rtol=1e-6)


def test_a_first_epoch_that_is_no_first_one_has_its_own_order():
    def curve(x, first):
        return linear().fit(x, Y, SIZE, first + 1, initial_epoch=first, verbose=0).history["loss"]

    np.testing.assert_allclose(curve(Counted(X), 3), curve(X, 3), rtol=1e-6)
    assert curve(X, 3) != curve(X, 0)


def aligned(rows, columns):
    """An array at an address that engines take over without a copy."""
    memory = np.empty(rows * columns * 4 + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + rows * columns * 4].view("float32").reshape(rows, columns)


@pytest.mark.parametrize("columns", [4, 8192])
def test_one_array_may_be_filled_again_for_each_batch(backend, columns):
    """As readers of files do; engines that compute beside Python must not see the next batch."""
    weights = [np.full((columns, 1), 1 / columns, "float32")]
    losses = []
    for is_copied in (False, True):
        model = keras.Sequential([keras.Input((columns,)), keras.layers.Dense(1, use_bias=False)])
        model.set_weights(weights)
        model.compile(keras.optimizers.SGD(1e-3 / columns), "mse")
        x, y = aligned(64, columns), np.ones((64, 1), "float32")

        def batches(x=x, y=y, is_copied=is_copied):
            for index in range(20):
                x[:] = index % 7
                yield (x.copy() if is_copied else x), y

        losses.append(model.fit(batches(), steps_per_epoch=20, verbose=0).history["loss"])
    assert losses[0] == losses[1]


def test_an_array_may_be_filled_again_after_a_call(backend):
    model = keras.Sequential([keras.Input((256,)), keras.layers.Dense(256, kernel_initializer="identity")])
    busy = backend.array(np.ones((700, 700), "float32"))
    x = aligned(1, 256)
    for index in range(8):
        x[:] = index
        backend.matmul(backend.matmul(busy, busy), busy)
        outputs = model(x)
        x[:] = -1
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(outputs), np.full((1, 256), index, "float32"))
