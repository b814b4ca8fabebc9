"""ParametricUMAP: a network that embeds, embeds new points too, and reconstructs."""

import tempfile

import numpy as np
from sklearn.datasets import load_digits
from umap.parametric_umap import ParametricUMAP, load_ParametricUMAP

PACKAGE = "umap-learn"
ENGINES = ("tensorflow", "torch", "jax")

x, labels = load_digits(n_class=3, return_X_y=True)
x = (x[:300] / 16).astype("float32")
labels = labels[:300]
embedder = ParametricUMAP(n_epochs=20, random_state=0, parametric_reconstruction=True, verbose=False)
embedding = embedder.fit_transform(x)
assert embedding.shape == (300, 2) and np.isfinite(embedding).all()
centers = np.stack([embedding[labels == label].mean(0) for label in range(3)])
nearest = np.linalg.norm(embedding[:, None] - centers[None], axis=-1).argmin(1)
assert (nearest == labels).mean() > 0.8, (nearest == labels).mean()
np.testing.assert_allclose(embedder.transform(x[:10]), embedding[:10], atol=1e-3)
assert embedder.inverse_transform(embedding[:10]).shape == (10, 64)
with tempfile.TemporaryDirectory() as folder:
    embedder.save(folder, verbose=False)
    again = load_ParametricUMAP(folder, verbose=False)
np.testing.assert_allclose(again.transform(x[:10]), embedder.transform(x[:10]), atol=1e-4)
