"""One of two processes that train together, each on its half of every batch; see ``test_several_devices.py``."""

import json

import numpy as np

import polykeras as keras
from polykeras import distribution, layers


def losses(rows, batch_size):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")[rows]
    return model.fit(x, x.sum(1), batch_size=batch_size, epochs=2, shuffle=False, verbose=0).history["loss"]


if __name__ == "__main__":
    distribution.initialize()
    plan = distribution.DataParallel(auto_shard_dataset=False)
    distribution.set_distribution(plan)
    mine = [row for row in range(32) if row // 8 % 2 == plan.data_shard_id]
    print(json.dumps([plan.num_processes, losses(mine, 8)]))
