"""Amortized inference of a mean: an invertible network trained on simulations."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import bayesflow as bf
import keras
import numpy as np

PACKAGE = "bayesflow"
ENGINES = ("tensorflow", "torch", "jax")

keras.utils.set_random_seed(0)
random = np.random.default_rng(0)


def prior():
    return {"mean": random.normal(size=2)}


def likelihood(mean):
    return {"x": random.normal(mean, 0.5, size=(4, 2)).flatten()}


simulator = bf.make_simulator([prior, likelihood])
adapter = (
    bf.Adapter()
    .convert_dtype("float64", "float32")
    .rename("mean", "inference_variables")
    .rename("x", "inference_conditions")
)  # fmt: skip
workflow = bf.BasicWorkflow(
    simulator=simulator,
    adapter=adapter,
    inference_network=bf.networks.CouplingFlow(depth=2, subnet_kwargs={"widths": (16, 16)}),
    initial_learning_rate=5e-3,
)
history = workflow.fit_offline(simulator.sample(512), epochs=12, batch_size=64, verbose=0).history["loss"]
assert history[-1] < history[0], history
tests = simulator.sample(50)
samples = workflow.sample(conditions={"x": tests["x"]}, num_samples=50)["mean"]
assert samples.shape == (50, 50, 2)
assert np.corrcoef(samples.mean(1)[:, 0], tests["mean"][:, 0])[0, 1] > 0.7
assert workflow.approximator.log_prob({"mean": tests["mean"], "x": tests["x"]}).shape == (50,)
