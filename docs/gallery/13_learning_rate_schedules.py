"""
Learning rate schedules
=======================

The learning rate of each schedule over 1,000 steps.
"""

import matplotlib.pyplot as plt
import numpy as np

from polykeras.optimizers import schedules

steps = np.arange(0, 1000, 5)
chosen = {
    "ExponentialDecay": schedules.ExponentialDecay(0.1, decay_steps=300, decay_rate=0.5),
    "PiecewiseConstantDecay": schedules.PiecewiseConstantDecay([300, 600], [0.1, 0.05, 0.01]),
    "PolynomialDecay": schedules.PolynomialDecay(0.1, decay_steps=800, end_learning_rate=0.005, power=2.0),
    "InverseTimeDecay": schedules.InverseTimeDecay(0.1, decay_steps=200, decay_rate=1.0),
    "CosineDecay": schedules.CosineDecay(0.0, decay_steps=800, warmup_target=0.1, warmup_steps=200),
    "CosineDecayRestarts": schedules.CosineDecayRestarts(0.1, first_decay_steps=200),
}
for name, schedule in chosen.items():
    plt.plot(steps, [float(schedule(int(step))) for step in steps], label=name)
plt.xlabel("step")
plt.ylabel("learning rate")
plt.legend(fontsize=8)
