"""The model that trains a student with the outputs of a teacher."""

from __future__ import annotations

from typing import Any

from polykeras import tree
from polykeras.distillation.losses import DistillationLoss
from polykeras.metrics import Mean
from polykeras.models import Model
from polykeras.serialization import registry


class Distiller(Model):
    """Train a student model on targets and on the outputs of a teacher model, whose weights are not changed.

    The loss is ``student_loss_weight`` times the loss passed to ``compile``, plus ``1 - student_loss_weight`` times
    the distillation losses. A call returns the outputs of the student.

    Args:
        teacher: a trained model, which is frozen.
        student: the model to train, with compatible inputs and outputs.
        distillation_losses: a DistillationLoss, or a list of them.
        distillation_loss_weights: list of floats, the weights of these losses; default None, for 1.
        student_loss_weight: float from 0 (learn only from the teacher) to 1 (learn only from the targets); default 0.5.
        name: str; default ``"distiller"``.
        **kwargs: further arguments of ``Model``.

    Raises:
        ValueError: for incompatible models, or other invalid arguments.

    >>> import numpy as np, polykeras as keras
    >>> teacher, student = (keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]) for _ in range(2))
    >>> distiller = Distiller(teacher, student, keras.distillation.LogitsDistillation(temperature=2.0))
    >>> distiller.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> history = distiller.fit(np.ones((8, 4)), np.zeros(8), verbose=0)
    >>> sorted(history.history)
    ['distillation_loss', 'loss', 'student_loss', 'total_loss']
    """

    # These share the layers of the teacher and the student, and are saved with those.
    _untracked = Model._untracked | {"_teacher_features", "_student_features"}

    def __init__(
        self,
        teacher: Any,
        student: Any,
        distillation_losses: Any,
        distillation_loss_weights: Any = None,
        student_loss_weight: float = 0.5,
        name: str = "distiller",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        _check_models(teacher, student)
        if not isinstance(student_loss_weight, int | float) or not 0 <= student_loss_weight <= 1:
            raise ValueError(f"Expected student_loss_weight from 0 to 1. Received: {student_loss_weight!r}.")
        is_list = isinstance(distillation_losses, list | tuple)
        self.distillation_losses = list(distillation_losses) if is_list else [distillation_losses]
        self.distillation_loss_weights = distillation_loss_weights or [1.0] * len(self.distillation_losses)
        self._check_losses(teacher, student)
        self.teacher = teacher
        self.student = student
        self.student_loss_weight = student_loss_weight
        self._teacher_features = self._features(teacher, "teacher_layer_name")
        self._student_features = self._features(student, "student_layer_name")
        self.teacher.trainable = False
        self.student_loss_tracker = Mean(name="student_loss")
        self.distillation_loss_tracker = Mean(name="distillation_loss")
        self.total_loss_tracker = Mean(name="total_loss")

    def _check_losses(self, teacher: Any, student: Any) -> None:
        for loss in self.distillation_losses:
            if not isinstance(loss, DistillationLoss):
                raise ValueError(f"Expected distillation_losses as DistillationLoss objects. Received: {loss!r}.")
            loss.validate_model_compatibility(teacher, student)
        if len(self.distillation_loss_weights) != len(self.distillation_losses):
            raise ValueError(
                f"Expected a weight for each of the {len(self.distillation_losses)} distillation_losses. Received: "
                f"distillation_loss_weights={self.distillation_loss_weights!r}."
            )

    def _features(self, model: Any, attribute: str) -> Any:
        """A model that returns the outputs of the layers that the losses compare, by name; None if there are none."""
        names = {getattr(loss, attribute) for loss in self.distillation_losses} - {None}
        if not names:
            return None
        return Model(model.inputs, {name: model.get_layer(name).output for name in sorted(names)})

    def compile(  # type: ignore[override]
        self, optimizer: Any = "adam", loss: Any = None, metrics: Any = None, **kwargs: Any
    ) -> None:
        """Configure the training of the student.

        Args:
            optimizer: Optimizer, or its name; default "adam".
            loss: loss of the student's outputs and the targets, required; default None.
            metrics: as for ``Model.compile``; default None.
            **kwargs: further arguments of ``Model.compile``.

        Raises:
            ValueError: if there is no loss.
        """
        if loss is None:
            raise ValueError(f"Model {self.name!r}: Expected the loss of the student. Received: loss=None.")
        super().compile(optimizer, loss, metrics=metrics, **kwargs)

    def call(self, inputs: Any, training: bool | None = None) -> Any:  # type: ignore[override]
        """Return the outputs of the student.

        Args:
            inputs: array or structure of arrays, as the student takes them.
            training: bool, whether to run in training mode; default None, for that of the enclosing call.
        """
        return self.student(inputs, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the weighted sum of the student's own loss and of the distillation losses.

        Args:
            x, y, y_pred, sample_weight: inputs, targets, outputs of the student and sample weights, arrays or
                structures of arrays; default None.
            training: bool, whether to run the student in training mode; default True.
        """
        y_pred = self(x, training=training) if y_pred is None else y_pred
        fraction, own, distilled = self.student_loss_weight, 0.0, 0.0
        if fraction > 0 and y is not None:
            own = super().compute_loss(x, y, y_pred, sample_weight, training)
        if fraction < 1:
            distilled = self._distillation_loss(x, y_pred, training)
        total = fraction * own + (1 - fraction) * distilled
        self.student_loss_tracker.update_state(own)
        self.distillation_loss_tracker.update_state(distilled)
        self.total_loss_tracker.update_state(total)
        return total

    def _distillation_loss(self, x: Any, y_pred: Any, training: bool) -> Any:
        """The weighted sum of the distillation losses."""
        teacher: dict[str | None, Any] = {}
        student: dict[str | None, Any] = {}
        if any(loss.teacher_layer_name is None for loss in self.distillation_losses):
            teacher[None] = self.teacher(x, training=False)
        if self._teacher_features is not None:
            teacher |= self._teacher_features(x, training=False)
        if self._student_features is not None:
            student |= self._student_features(x, training=training)
        student[None] = y_pred
        total = 0.0
        for loss, weight in zip(self.distillation_losses, self.distillation_loss_weights, strict=True):
            outputs = teacher[loss.teacher_layer_name], student[loss.student_layer_name]
            loss.validate_outputs(*outputs)
            total = total + weight * loss.compute_loss(*outputs)
        return total

    def get_config(self) -> dict:
        """Return the config, including those of the models and losses."""
        return {
            **super().get_config(),
            "teacher": registry.serialize(self.teacher),
            "student": registry.serialize(self.student),
            "distillation_losses": registry.serialize(self.distillation_losses),
            "distillation_loss_weights": list(self.distillation_loss_weights),
            "student_loss_weight": self.student_loss_weight,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """Create a Distiller from the result of ``get_config``.

        Args:
            config: dict, as ``get_config`` returns.
            custom_objects: dict from names to classes or functions; default None.
        """
        with registry.custom_object_scope(custom_objects or {}):
            made = {key: registry.deserialize(config[key], family="models") for key in ("teacher", "student")}
            made["distillation_losses"] = registry.deserialize(config["distillation_losses"], family="distillation")
        return cls(**{**config, **made})


def _check_models(teacher: Any, student: Any) -> None:
    for role, model in (("teacher", teacher), ("student", student)):
        if not isinstance(model, Model):
            raise ValueError(f"Expected {role} to be a Model. Received: {model!r} of type {type(model).__name__}.")
    for kind in ("inputs", "outputs"):
        pairs = getattr(teacher, kind, None), getattr(student, kind, None)
        if None in pairs:
            continue
        tree.assert_same_structure(*pairs)
        for one, other in zip(*map(tree.flatten, pairs), strict=True):
            if one.dtype != other.dtype or not _fit(one.shape, other.shape):
                raise ValueError(
                    f"Expected {kind} of teacher and student of the same shape and dtype. Received: {one.shape} "
                    f"{one.dtype} and {other.shape} {other.dtype}."
                )


def _fit(shape: tuple, other: tuple) -> bool:
    if len(shape) != len(other):
        return False
    return all(None in pair or pair[0] == pair[1] for pair in zip(shape, other, strict=True))
