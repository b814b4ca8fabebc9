"""Shapelets of time series, learned by gradient descent."""

import numpy as np
from tslearn.datasets import CachedDatasets
from tslearn.shapelets import LearningShapelets

PACKAGE = "tslearn"
ENGINES = ("tensorflow", "torch", "jax")

x, y, x_test, y_test = CachedDatasets().load_dataset("Trace")
model = LearningShapelets(n_shapelets_per_size={12: 3}, max_iter=15, optimizer="adam", scale=True, random_state=0)
model.fit(x[:40], y[:40])
assert model.transform(x_test[:6]).shape == (6, 3)
assert model.shapelets_[0].shape == (12, 1)
assert model.locate(x_test[:6]).shape == (6, 3)
assert np.allclose(model.predict_proba(x_test[:6]).sum(1), 1, atol=1e-5)
assert set(model.predict(x_test[:6])) <= set(y)
