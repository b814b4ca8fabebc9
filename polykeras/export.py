"""``keras.export``: exporting models as programs of an engine, and the layer that runs a SavedModel."""

from polykeras.interop.export import ExportArchive
from polykeras.interop.tensorflow import TFSMLayer

__all__ = ["ExportArchive", "TFSMLayer"]
