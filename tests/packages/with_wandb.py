"""The callbacks write metrics and checkpoints of a run without network."""

import os
import tempfile

folder = tempfile.TemporaryDirectory()
os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", WANDB_DIR=folder.name)

import keras  # noqa: E402
import numpy as np  # noqa: E402
import wandb  # noqa: E402
from wandb.integration.keras import WandbMetricsLogger, WandbModelCheckpoint  # noqa: E402

PACKAGE = "wandb"
ENGINES = ("tensorflow", "torch", "jax", "numpy")

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.05), "mse", metrics=["mae"])
run = wandb.init(project="p", config={"epochs": 4}, settings=wandb.Settings(disable_git=True, console="off"))
checkpoint = WandbModelCheckpoint(f"{folder.name}/best.keras", monitor="val_loss", save_best_only=True)
history = model.fit(
    x, x[:, :1], epochs=4, batch_size=16, validation_split=0.25, verbose=0,
    callbacks=[WandbMetricsLogger(log_freq=2), checkpoint],
).history  # fmt: skip
summary = dict(run.summary)
run.finish()
assert abs(summary["epoch/loss"] - history["loss"][-1]) < 1e-6 and "epoch/val_mae" in summary, summary
assert abs(summary["epoch/learning_rate"] - 0.05) < 1e-6 and summary["batch/batch_step"] > 0, summary
np.testing.assert_allclose(
    keras.saving.load_model(f"{folder.name}/best.keras").predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6
)
folder.cleanup()
