"""Knowledge distillation: training a small model, the student, with the outputs of a trained large one, the teacher."""

from polykeras.distillation.distiller import Distiller
from polykeras.distillation.losses import DistillationLoss, FeatureDistillation, LogitsDistillation
from polykeras.serialization import registry

__all__ = ["DistillationLoss", "Distiller", "FeatureDistillation", "LogitsDistillation"]

registry.add_family(
    "distillation",
    {
        "Distiller": Distiller,
        "FeatureDistillation": FeatureDistillation,
        "LogitsDistillation": LogitsDistillation,
    },
)
