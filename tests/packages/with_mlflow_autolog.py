"""Autologging: every fit becomes a run with its parameters, its metrics and its model."""

import tempfile

import keras
import mlflow
import numpy as np

PACKAGE = "mlflow"
ENGINES = ("tensorflow",)  # its hook is the one for TensorFlow

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
y = x[:, :1]
with tempfile.TemporaryDirectory() as folder:
    mlflow.set_tracking_uri(f"sqlite:///{folder}/runs.db")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("e", artifact_location=f"file://{folder}/artifacts"))
    mlflow.tensorflow.autolog()
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse", metrics=["mae"])
    model.fit(x, y, epochs=4, batch_size=16, validation_split=0.25, verbose=0)
    run = mlflow.last_active_run()
    assert {"loss", "mae", "val_loss", "val_mae"} <= set(run.data.metrics), run.data.metrics
    assert run.data.params["epochs"] == "4" and run.data.params["batch_size"] == "16", run.data.params
    logged = mlflow.search_logged_models(output_format="list")
    again = mlflow.tensorflow.load_model(logged[0].model_uri)
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
