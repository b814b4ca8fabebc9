"""
Regression: the progression of diabetes
=======================================

Ten measurements of 442 patients and the progression of their disease a year later, from scikit-learn.
``Normalization`` learns means and variances from the data, so that the model accepts raw numbers.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes

import polykeras as keras
from polykeras import layers

x, y = load_diabetes(return_X_y=True)
x, y = x.astype("float32"), y.astype("float32")[:, None]

normalization = layers.Normalization()
normalization.adapt(x[:350])
model = keras.Sequential([normalization, layers.Dense(16, activation="relu"), layers.Dense(1)])
model.compile(optimizer=keras.optimizers.Adam(0.05), loss="mse", metrics=["mae"])
model.fit(x[:350], y[:350], epochs=30, verbose=0)
loss, error = model.evaluate(x[350:], y[350:], verbose=0)
print(f"mean absolute error: {error:.1f}; always predicting the mean: {abs(y[350:] - y[:350].mean()).mean():.1f}")

# %%

predicted = model.predict(x[350:], verbose=0)
plt.scatter(y[350:], predicted, s=12)
plt.plot([25, 350], [25, 350], color="gray")
plt.xlabel("measured")
plt.ylabel("predicted")
