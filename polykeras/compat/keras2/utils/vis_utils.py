"""The path of Keras 2 to drawings of models."""

from polykeras.utils.plotting import model_to_dot, plot_model

__all__ = ["model_to_dot", "plot_model"]
