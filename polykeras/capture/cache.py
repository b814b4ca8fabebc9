"""Captured steps, which are made again when something that they were made from has changed.

A step is compiled, recorded or replayed for what it was made from: shapes and dtypes, and all that
its code reads. Before each run the stamp is compared, which takes nanoseconds. Where it moved, the
step looks whether something that it can tell has changed; if so, an earlier version that fits is
taken, or a new one is made.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from polykeras import backends, config
from polykeras.capture import stamp
from polykeras.capture.namespaces import Methods
from polykeras.capture.numbers import NumberInputs, may_be_input
from polykeras.capture.reach import Reach
from polykeras.capture.recent import Recent

_MOST_STEPS = 64
_MOST_VERSIONS = 8
# Where plain runs are not much slower, a version is made for settings that stay, once they have changed often.
_RUNS_BEFORE_CAPTURE = 3
_VERSIONS_AT_ONCE = 3
# Changes of a number until it becomes an input.
_CHANGES_BEFORE_INPUT = 2
# Versions that are made because something was set back that the step sets itself.
_VERSIONS_FOR_WRITTEN = 3
# Attributes that a prediction of polykeras's own classes does not depend on.
_OF_TRAINING = frozenset({"optimizer", "_compiled", "loss"})


def steps_of(model: Any) -> Recent:
    """The captured steps of a model, by kind."""
    steps = vars(model).get("_steps")
    if steps is None:
        steps = vars(model)["_steps"] = Recent(_MOST_STEPS)
    return steps


class _Version:
    """A step, and what its code could reach when it was made."""

    def __init__(self, step: Any, reach: Reach, numbers: NumberInputs) -> None:
        self.step = step
        self.reach = reach
        self.numbers = numbers

    def fits(self) -> bool:
        """Whether a step made now would be the same."""
        return self.reach.is_same() and self.numbers.renew()

    def is_quiet(self) -> bool:
        """``fits``, where the stamp has not moved."""
        return self.reach.methods.is_untouched() and self.reach.is_quiet() and self.numbers.renew()

    def note_own_changes(self) -> dict:
        """Accept what the step itself set, which is no reason to make it again; return where, with the owners."""
        found = _owners_by_key(self.reach)
        for namespace in (*self.reach.namespaces, *self.reach.watched):
            namespace.take()
        return found


class Captured:
    """One step of a model, which at each run obeys the settings of that moment.

    Args:
        model: what the step belongs to.
        function: of a batch; reads and assigns the model's variables.
        make: ``make(function, variables)`` returns a captured step; the variables are read besides the model's.
        make_plain: ``make_plain(function)`` returns the step line by line; None for a call of the model from outside:
            foreign code in it runs each time on every engine, and what is not captured is left to the caller.
        is_training: the step reads the optimizer, the losses and the metrics.
    """

    def __init__(
        self,
        model: Any,
        function: Callable,
        make: Callable,
        make_plain: Callable | None = None,
        is_training: bool = False,
    ) -> None:
        self.backend = backends.current()
        self._model = model
        self._function = function
        self._make = make
        self._make_plain: Any = make_plain
        self._without = frozenset() if is_training else _OF_TRAINING
        self._is_call = make_plain is None
        self._takes_foreign_code = self.backend.is_traced and not self._is_call
        self._versions: list[_Version] = []
        self._version: _Version | None = None
        self._methods: Methods | None = None
        self._step: Any = None
        #: Kept, so that the identities by which the step is found stay theirs.
        self.weights: list = []
        self._noted = -1
        self._is_watched = False
        self._has_run_python = False
        self._is_in_mode = False
        self._untried: Any = None
        self._plain: Any = None
        self._made = 0
        self._candidate: Reach | None = None
        self._runs_to_come = 0
        self._changes: dict[tuple, list] = {}
        # By keys with identities, with the owners, which keep theirs.
        self._written: dict[tuple, Any] = {}
        self._versions_for_written = 0
        self._ignored: dict[tuple, Any] = {}

    # ------------------------------------------------------------------- running

    def __call__(self, batch: Any) -> Any:
        """Run the step on a batch."""
        return self.run(self.step(), batch)

    def run(self, step: Any, batch: Any) -> Any:
        """Run what ``step`` returned on a batch."""
        result = step(batch) if step is not self._untried else self._try("__call__", batch)
        if self._has_run_python:
            self.note_run()
        return result

    def on_rows(self, data: Any, index: Any) -> Any:
        """Run the step on the rows of ``data`` that ``index`` names: once, or once a row of a matrix."""
        step = self.step()
        result = step.on_rows(data, index) if step is not self._untried else self._try("on_rows", data, index)
        if self._has_run_python:
            self.note_run()
        return result

    @property
    def _is_traced(self) -> bool:
        return self.step()._is_traced

    def step(self) -> Any:
        """Return the step to run now; None where the caller runs it."""
        if stamp.count != self._noted or self._is_watched or self.backend.ambient_mode() is not None:
            return self._look()
        if self._methods is not None and not self._methods.is_untouched():
            return self._look()
        return self._step

    def _try(self, method: str, *inputs: Any) -> Any:
        """Run a step for the first time that holds numbers as inputs."""
        step, self._untried = self._untried, None
        try:
            return getattr(step, method)(*inputs)
        except Exception:  # Python decides by the number, or the step fails without it too
            self._refuse_numbers()
            return getattr(self.step(), method)(*inputs)

    def note_run(self) -> None:
        """Note that the step's Python has run."""
        self._has_run_python = False
        if self._is_in_mode:
            return
        if self._version is not None and (stamp.count != self._noted or self._is_watched):
            self._written.update(self._version.note_own_changes())
        self._noted = stamp.count
        if self._runs_to_come:
            self._runs_to_come -= 1
            self._noted = -1 if self._runs_to_come == 0 else self._noted

    def _run_python(self, batch: Any) -> Any:
        self._has_run_python = True
        return self._function(batch)

    # ------------------------------------------------------------------- choosing

    def _look(self) -> Any:
        """Choose the step to run now."""
        if self.backend.ambient_mode() is not None:
            self._version, self._is_in_mode = None, True
            self._noted = -1
            return self._plain_step()
        version = self._version
        if version is not None and stamp.count == self._noted and version.is_quiet():
            return version.step
        self._model._renew_snapshot()
        return self._use(None if self._is_plain() else self._fitting())

    def _is_plain(self) -> bool:
        return self._model.run_eagerly or config.functions_run_eagerly()

    def _use(self, version: _Version | None) -> Any:
        self._version, self._is_in_mode = version, False
        self._step = self._plain_step() if version is None else version.step
        self._is_watched = version is not None and bool(version.reach.watched)
        self._noted = stamp.count
        return self._step

    def _plain_step(self) -> Any:
        """The step that runs line by line: it reads what is set as it goes."""
        if self._plain is None and not self._is_call:
            self._plain = self._make_plain(self._run_python)
        return self._plain

    def _fitting(self) -> _Version | None:
        """The version that fits; None where none may, or none yet."""
        for version in self._versions:
            if version.fits():
                self._versions.remove(version)
                self._versions.insert(0, version)
                self._methods = version.reach.methods
                return version
        self._note_written()
        reach = self._reach()
        if not (reach.is_own or self._takes_foreign_code):
            return None
        numbers = self._numbers(reach)
        if not (numbers or self._is_settled(reach)):
            return None
        self._candidate = None
        return self._new(reach, numbers)

    def _reach(self) -> Reach:
        reach = Reach(self._model, self._without, self._takes_foreign_code)
        self._methods = reach.methods
        for namespace in (*reach.namespaces, *reach.watched) if self._ignored else ():
            namespace.ignored.update(name for name in namespace.values if _key(namespace, name) in self._ignored)
        return reach

    def _note_written(self) -> None:
        """Stop making versions for what the step sets itself, such as a counter that is set back each epoch."""
        keys = _owners_by_key(self._versions[0].reach) if self._versions else {}
        if keys and keys.keys() <= self._written.keys():
            self._versions_for_written += 1
            if self._versions_for_written > _VERSIONS_FOR_WRITTEN:
                self._ignored.update(keys)

    def _is_settled(self, reach: Reach) -> bool:
        """Whether the settings have stayed for long enough to make a version for them."""
        if not self._is_call and (self.backend.is_traced or self._made < _VERSIONS_AT_ONCE):
            return True
        if self._candidate is None or not self._candidate.is_same():
            self._candidate, self._runs_to_come = reach, _RUNS_BEFORE_CAPTURE
        return self._runs_to_come == 0

    def _new(self, reach: Reach, numbers: list) -> _Version:
        """Make a version; what it holds as inputs is tried, first over shapes."""
        inputs = NumberInputs(numbers)
        before = stamp.count
        function = inputs.in_place(self._run_python) if inputs else self._run_python
        try:
            step = self._make(function, inputs.variables)
        except Exception:
            if not inputs:
                raise
            self._refuse(numbers)
            return self._new(self._reach(), [])
        if stamp.count != before and not inputs:
            reach = self._reach()
        self._has_run_python = False
        version = _Version(step, reach, inputs)
        self._untried = step if inputs else None
        self._versions.insert(0, version)
        del self._versions[_MOST_VERSIONS:]
        self._made += 1
        return version

    # ---------------------------------------------------------- numbers as inputs

    def _numbers(self, reach: Reach) -> list[tuple]:
        """The namespaces of numbers that change again and again."""
        previous = self._candidate or (self._versions[0].reach if self._versions else None)
        for namespace, name, old, new in previous.differences() if previous else ():
            if may_be_input(old) and may_be_input(new) and not isinstance(namespace.owner, ModuleType):
                change = self._changes.setdefault(_key(namespace, name), [namespace, 0])
                change[1] += 1
        known = {
            _key(namespace, name): (namespace, name)
            for namespace in (*reach.namespaces, *reach.watched)
            for name in namespace.values
        }
        wanted = [key for key, (_, count) in self._changes.items() if count >= _CHANGES_BEFORE_INPUT]
        found = [known[key] for key in wanted if key in known]
        return [(namespace, name) for namespace, name in found if may_be_input(namespace.values[name])]

    def _refuse(self, numbers: list) -> None:
        for namespace, name in numbers:
            self._changes[_key(namespace, name)][1] = float("-inf")

    def _refuse_numbers(self) -> None:
        """Give up the version in use, whose numbers can be no inputs."""
        version = self._versions.pop(0)
        self._refuse(version.numbers.namespaces)
        self._noted = -1


def _owners_by_key(reach: Reach) -> dict[tuple, Any]:
    """The owners of what was set since, by the keys of the namespaces."""
    return {_key(namespace, name): namespace.owner for namespace, name, _, _ in reach.differences()}


def _key(namespace: Any, name: Any) -> tuple:
    return id(namespace.owner), type(namespace), name
