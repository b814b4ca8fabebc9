"""
Metrics and the ROC curve
=========================

Is a tumor malignant? Metrics are computed over all batches of an epoch. One of them is the area under the ROC curve,
which is plotted here from ``TruePositives`` and ``FalsePositives``.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

import polykeras as keras
from polykeras import layers, metrics

x, y = load_breast_cancer(return_X_y=True)
x, y = x.astype("float32"), 1 - y.astype("float32")[:, None]
order = np.random.default_rng(0).permutation(len(x))
x, y = x[order], y[order]

normalization = layers.Normalization()
normalization.adapt(x[:400])
model = keras.Sequential([normalization, layers.Dense(1, activation="sigmoid")])
watched = [metrics.AUC(name="auc"), metrics.Precision(name="precision"), metrics.Recall(name="recall")]
model.compile(optimizer=keras.optimizers.Adam(0.003), loss="binary_crossentropy", metrics=watched)
model.fit(x[:400], y[:400], epochs=10, verbose=0)
found = model.evaluate(x[400:], y[400:], return_dict=True, verbose=0)
print({name: round(value, 3) for name, value in found.items()})

# %%

answers = model.predict(x[400:], verbose=0)
thresholds = np.linspace(0, 1, 101).tolist()
hits, alarms = metrics.TruePositives(thresholds), metrics.FalsePositives(thresholds)
hits.update_state(y[400:], answers)
alarms.update_state(y[400:], answers)
hit_rate = keras.ops.convert_to_numpy(hits.result()) / y[400:].sum()
alarm_rate = keras.ops.convert_to_numpy(alarms.result()) / (1 - y[400:]).sum()
plt.plot(alarm_rate, hit_rate, ".-")
plt.plot([0, 1], [0, 1], color="lightgray")
plt.xlabel("false positive rate")
plt.ylabel("true positive rate")
plt.title(f"area {found['auc']:.3f}")
