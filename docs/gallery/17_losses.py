"""
Shapes of losses
================

The value of each loss as a function of the error in regression, and of the predicted probability of the true class in
classification.
"""

import matplotlib.pyplot as plt
import numpy as np

from polykeras import losses, ops

errors = np.linspace(-3, 3, 121, dtype="float32")[:, None]
answers = np.linspace(0.01, 0.99, 99, dtype="float32")[:, None]
regression = {
    "mean_squared_error": losses.mean_squared_error,
    "mean_absolute_error": losses.mean_absolute_error,
    "huber": losses.huber,
    "log_cosh": losses.log_cosh,
}
classification = {
    "binary_crossentropy": losses.binary_crossentropy,
    "binary_focal_crossentropy": losses.binary_focal_crossentropy,
    "hinge": losses.hinge,
    "squared_hinge": losses.squared_hinge,
}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
for name, loss in regression.items():
    left.plot(errors, ops.convert_to_numpy(loss(np.zeros_like(errors), errors)), label=name)
for name, loss in classification.items():
    right.plot(answers, ops.convert_to_numpy(loss(np.ones_like(answers), answers)), label=name)
left.set_xlabel("prediction - target")
left.set_ylim(0, 5)
right.set_xlabel("predicted probability")
for axis in (left, right):
    axis.legend(fontsize=8)
