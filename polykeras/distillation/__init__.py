"""Training a small model, the student, by what a large one that is trained already, the teacher, says."""

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
