"""Speed and memory of polykeras beside hand-written native loops, Keras 3 and scikit-learn.

``python -m benchmarks`` measures everything, ``--quick`` a part of it. Each figure comes
from processes of its own; contenders of one workload take turns, so that a change in the machine's
mood meets all of them.
"""
