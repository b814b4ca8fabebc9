"""Speed and memory of polykeras compared with hand-written native loops, Keras 3 and scikit-learn.

``python -m benchmarks`` measures everything, ``--quick`` a part of it. Each figure comes
from separate processes; the contenders of a workload take turns, so that changes in the machine's
load affect all of them.
"""
