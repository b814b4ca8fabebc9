"""A path of Keras 2: see ``polykeras.utils.multi_gpu_utils``."""

from polykeras.compat.keras2.utils.multi_gpu_utils import multi_gpu_model

__all__ = ["multi_gpu_model"]
