"""The callback writes parameters and metrics of each epoch; models are saved and loaded."""

import os
import tempfile

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"

import keras
import mlflow
import mlflow.keras
import numpy as np

PACKAGE = "mlflow"
ENGINES = ("tensorflow", "torch", "jax", "numpy")

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
y = x[:, :1]
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.05), "mse", metrics=["mae"])
with tempfile.TemporaryDirectory() as folder:
    mlflow.set_tracking_uri(f"sqlite:///{folder}/runs.db")
    experiment = mlflow.create_experiment("e", artifact_location=f"file://{folder}/artifacts")
    with mlflow.start_run(experiment_id=experiment) as run:
        model.fit(x, y, epochs=5, batch_size=16, verbose=0, callbacks=[mlflow.keras.MlflowCallback(run)])
        loss, _ = model.evaluate(x, y, verbose=0, callbacks=[mlflow.keras.MlflowCallback(run)])
    client = mlflow.MlflowClient()
    losses = [metric.value for metric in client.get_metric_history(run.info.run_id, "loss")]
    assert len(losses) == 5 and losses[-1] < losses[0], losses
    data = client.get_run(run.info.run_id).data
    assert abs(data.metrics["validation_loss"] - loss) < 1e-5, data.metrics
    assert data.params["optimizer_name"] == "adam" and abs(float(data.params["optimizer_learning_rate"]) - 0.05) < 1e-6

    mlflow.keras.save_model(model, f"{folder}/model")
    again = mlflow.keras.load_model(f"{folder}/model")
    predicted = model.predict(x, verbose=0)
    np.testing.assert_allclose(again.predict(x, verbose=0), predicted, atol=1e-6)
    np.testing.assert_allclose(mlflow.pyfunc.load_model(f"{folder}/model").predict(x), predicted, atol=1e-6)
