"""Distillation losses: distances between the outputs of a student and those of its teacher."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from polykeras import losses, ops, tree
from polykeras.serialization import registry


class DistillationLoss:
    """Base class of distillation losses. Subclasses implement ``compute_loss``.

    >>> import polykeras as keras
    >>> class Distance(keras.distillation.DistillationLoss):
    ...     def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
    ...         return keras.ops.mean(keras.ops.abs(teacher_outputs - student_outputs))
    >>> float(Distance().compute_loss(keras.ops.ones(3), keras.ops.zeros(3)))
    1.0
    """

    #: Names of the layers whose outputs are compared; None for the outputs of the models.
    teacher_layer_name: str | None = None
    student_layer_name: str | None = None

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """Return the loss, a scalar.

        Args:
            teacher_outputs, student_outputs: arrays, or structures of arrays with the same structure.
            **kwargs: further arguments of subclasses.
        """
        raise NotImplementedError(f"Expected {type(self).__name__} to define compute_loss(teacher, student).")

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        """Check that outputs can be compared.

        Args:
            teacher_outputs, student_outputs: arrays, or structures of arrays.

        Raises:
            ValueError: if their structures differ.
        """
        tree.assert_same_structure(teacher_outputs, student_outputs)

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Check the models when a Distiller is created; subclasses raise ValueError for incompatible models.

        Args:
            teacher, student: models.
        """


class _ByOutput(DistillationLoss):
    """The sum of one loss per output."""

    def __init__(self, loss: Any) -> None:
        self.loss = tree.map_structure(lambda one: None if one is None else losses.get(one), loss)
        if all(one is None for one in tree.flatten(self.loss)):
            raise ValueError(f"Expected a loss for at least one output. Received: loss={loss!r}.")

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        super().validate_outputs(teacher_outputs, student_outputs)
        tree.assert_same_structure(self.loss, teacher_outputs)

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """Return the sum over the outputs that have a loss, a scalar.

        Args:
            teacher_outputs, student_outputs: arrays, or structures of arrays with the same structure.
            **kwargs: ignored.
        """
        self.validate_outputs(teacher_outputs, student_outputs)
        values = [self._compare(*parts) for parts in self._parts(teacher_outputs, student_outputs)]
        return sum(values[1:], values[0])

    def _parts(self, teacher: Any, student: Any) -> Iterator[tuple]:
        parts = zip(tree.flatten(self.loss), tree.flatten(teacher), tree.flatten(student), strict=True)
        return (part for part in parts if part[0] is not None)

    def _compare(self, loss: Any, teacher: Any, student: Any) -> Any:
        return ops.mean(loss(teacher, student))

    def get_config(self) -> dict:
        """Return the arguments that recreate this loss."""
        return {"loss": registry.serialize(self.loss)}

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """Create a loss from the result of ``get_config``.

        Args:
            config: dict, as ``get_config`` returns.
        """
        loss = registry.deserialize(config["loss"], family="losses")
        return cls(**{**config, "loss": loss})


class LogitsDistillation(_ByOutput):
    """The distance between the logits of teacher and student, softened by a temperature.

    Args:
        temperature: positive float by which the logits are divided; default 3.
        loss: name, function or Loss, called with the teacher's and the student's softened logits; for several
            outputs a list or dict of these, with None for outputs to ignore. ``"kl_divergence"`` compares the softmax
            of the softened logits, and is multiplied by the square of the temperature, so that the magnitude of its
            gradients hardly depends on the temperature; default "kl_divergence".

    Raises:
        ValueError: for a temperature that is not positive, or if there is no loss.

    Source: Hinton et al., "Distilling the Knowledge in a Neural Network" (2015), https://arxiv.org/abs/1503.02531.

    >>> import numpy as np, polykeras as keras
    >>> logits = np.array([[1.0, 2.0, 3.0]])
    >>> float(keras.distillation.LogitsDistillation(2.0).compute_loss(logits, logits))
    0.0
    """

    def __init__(self, temperature: float = 3.0, loss: Any = "kl_divergence") -> None:
        is_number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
        if not is_number or temperature <= 0:
            raise ValueError(f"Expected temperature to be a positive number. Received: {temperature!r}.")
        super().__init__(loss)
        self.temperature = temperature

    def _compare(self, loss: Any, teacher: Any, student: Any) -> Any:
        teacher, student = ops.divide(teacher, self.temperature), ops.divide(student, self.temperature)
        if loss is losses.kl_divergence or isinstance(loss, losses.KLDivergence):
            value = super()._compare(loss, ops.softmax(teacher), ops.softmax(student))
            return value * self.temperature**2
        return super()._compare(loss, teacher, student)

    def get_config(self) -> dict:
        return {"temperature": self.temperature, **super().get_config()}


class FeatureDistillation(_ByOutput):
    """The distance between the outputs of a teacher layer and a student layer.

    Args:
        loss: name, function or Loss; for layers with several outputs a list or dict of these, with None for outputs
            to ignore; default "mse".
        teacher_layer_name, student_layer_name: strs, names of the layers; default None, for the outputs of the models.

    Raises:
        ValueError: if there is no loss.

    Source: Romero et al., "FitNets: Hints for Thin Deep Nets" (2015), https://arxiv.org/abs/1412.6550.

    >>> import numpy as np, polykeras as keras
    >>> float(keras.distillation.FeatureDistillation().compute_loss(np.ones((2, 3)), np.zeros((2, 3))))
    1.0
    """

    def __init__(
        self, loss: Any = "mse", teacher_layer_name: str | None = None, student_layer_name: str | None = None
    ) -> None:
        super().__init__(loss)
        self.teacher_layer_name, self.student_layer_name = teacher_layer_name, student_layer_name

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Check that the models have the layers, and symbolic graphs that contain their outputs.

        Args:
            teacher, student: models.

        Raises:
            ValueError: for a model without a symbolic graph, or without the layer.
        """
        for model, name in ((teacher, self.teacher_layer_name), (student, self.student_layer_name)):
            if name is None:
                continue
            if getattr(model, "inputs", None) is None:
                raise ValueError(
                    f"Model {model.name!r}: Expected a functional or a built sequential model, for the output of its "
                    f"layer {name!r}. Received: {type(model).__name__} without symbolic inputs. Build it, or compare "
                    "the models' own outputs."
                )
            model.get_layer(name)

    def get_config(self) -> dict:
        names = {"teacher_layer_name": self.teacher_layer_name, "student_layer_name": self.student_layer_name}
        return {**super().get_config(), **names}
