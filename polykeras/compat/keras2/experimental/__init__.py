"""``layers.experimental`` of tf.keras 2."""

from polykeras.compat.keras2.experimental import preprocessing
from polykeras.layers import BatchNormalization as SyncBatchNormalization
from polykeras.layers import EinsumDense

__all__ = ["EinsumDense", "SyncBatchNormalization", "preprocessing"]
