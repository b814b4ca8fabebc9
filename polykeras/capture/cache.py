"""Captured steps, which are remade when something that they were made from has changed.

A step is captured (compiled, or recorded for replay) for shapes and dtypes, and for everything that its code
reads. Before each run the stamp, a global counter, is compared, which takes nanoseconds. If it has moved, the values
that the code reads are compared; if one of them has changed, an earlier version of the step that fits is used, or a
new one is made.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from polykeras import backends, config
from polykeras.capture import stamp
from polykeras.capture.lru_cache import LRUCache
from polykeras.capture.namespaces import Methods
from polykeras.capture.numbers import NumberInputs, may_be_input
from polykeras.capture.reach import Reach
from polykeras.core import turns

_MOST_STEPS = 64
_MOST_VERSIONS = 8
# Eager runs, with unchanged settings, before another version is captured where eager steps are not much slower.
_RUNS_BEFORE_CAPTURE = 3
# Versions of a step that are captured at once; from then on the settings must stay for a few runs first.
_VERSIONS_AT_ONCE = 3
# How often a number must change before it becomes an input.
_CHANGES_BEFORE_INPUT = 2
# How many versions are made because something reset an attribute that the step itself sets.
_VERSIONS_FOR_WRITTEN = 3
# Attributes that a prediction by polykeras's own classes does not depend on.
_OF_TRAINING = frozenset({"optimizer", "_compiled_parts", "loss"})


def steps_of(model: Any) -> LRUCache:
    """Return the cache of a model's captured steps."""
    steps = vars(model).get("_captured_steps")
    if steps is None:
        steps = vars(model)["_captured_steps"] = LRUCache(_MOST_STEPS)
    return steps


class _Version:
    """One captured step, with everything that its code could reach when it was made."""

    def __init__(self, step: Any, reach: Reach, numbers: NumberInputs) -> None:
        self.step = step
        self.reach = reach
        self.numbers = numbers

    def fits(self) -> bool:
        """Whether a step captured now would be the same."""
        return self.reach.is_same() and self.numbers.update()

    def is_same_unstamped(self) -> bool:
        """``fits``, if the stamp has not moved: compares only what moves no stamp."""
        return self.reach.methods.is_same_fast() and self.reach.is_same_unstamped() and self.numbers.update()

    def accept_own_changes(self) -> dict:
        """Accept what the step itself has set, which is no reason to remake it; return the owners by key."""
        found = _owners_by_key(self.reach)
        for namespace in (*self.reach.namespaces, *self.reach.watched):
            namespace.snapshot()
        return found


class Captured:
    """One step of a model, which in each run respects the settings of that moment.

    Args:
        model: the model that the step belongs to.
        function: function of a batch, which reads and assigns the model's variables.
        make: ``make(function, variables)`` returns a captured step; ``variables`` are read besides the model's own.
        make_plain: ``make_plain(function)`` returns the step to run eagerly. None for a call of the model from outside
            a step: if it reaches foreign code it is never captured, and the caller runs what is not captured.
        is_training: whether the step reads the optimizer, the losses and the metrics.
        is_plain: whether it always runs eagerly, because no engine supports its input; default False.
    """

    def __init__(
        self,
        model: Any,
        function: Callable,
        make: Callable,
        make_plain: Callable | None = None,
        is_training: bool = False,
        is_plain: bool = False,
    ) -> None:
        self.backend = backends.current()
        self._model = model
        self._function = function
        self._make = make
        self._make_plain: Any = make_plain
        self._without = frozenset() if is_training else _OF_TRAINING
        self._is_call = make_plain is None
        self._is_plain_always = is_plain
        self._captures_foreign_code = self.backend.is_traced and not self._is_call
        self._versions: list[_Version] = []
        self._version: _Version | None = None
        self._methods: Methods | None = None
        self._step: Any = None
        #: Keeps the weights alive, since the step is looked up by their identities.
        self.weights: list = []
        self._checked_stamp = -1
        self._is_watched = False
        self._has_run_python = False
        self._is_in_ambient_mode = False
        self._untried: Any = None
        self._plain: Any = None
        self._versions_made = 0
        self._candidate: Reach | None = None
        self._runs_until_capture = 0
        self._changes: dict[tuple, list] = {}
        # Keys contain ids; the values are the owners, kept alive so that the ids stay theirs.
        self._written: dict[tuple, Any] = {}
        self._versions_for_written = 0
        self._ignored: dict[tuple, Any] = {}

    # ------------------------------------------------------------------- running

    def __call__(self, batch: Any) -> Any:
        """Run the step on a batch."""
        return self.run(self.step(), batch)

    def run(self, step: Any, batch: Any) -> Any:
        """Run what ``step`` returned on a batch, and note whether its Python code ran."""
        result = step(batch) if step is not self._untried else self._try(step, "__call__", batch)
        if self._has_run_python:
            self.note_run()
        return result

    def on_rows(self, data: Any, index: Any) -> Any:
        """Run the step on the rows of ``data`` given by ``index``: once, or once for each row of an index matrix."""
        step = self.step()
        result = step.on_rows(data, index) if step is not self._untried else self._try(step, "on_rows", data, index)
        if self._has_run_python:
            self.note_run()
        return result

    @property
    def _is_traced(self) -> bool:
        return self.step()._is_traced

    def step(self) -> Any:
        """Return the step to run now; None if the caller has to run it eagerly."""
        if stamp.count != self._checked_stamp or self._is_watched or self.backend.ambient_mode() is not None:
            return self._choose()
        if self._methods is not None and not self._methods.is_same_fast():
            return self._choose()
        return self._step

    def _try(self, step: Any, method: str, *inputs: Any) -> Any:
        """Run a step with number inputs for the first time."""
        self._untried = None
        try:
            return getattr(step, method)(*inputs)
        except Exception:  # a branch depends on the number, or the step fails anyway: retry with constants
            self._refuse_numbers()
            return getattr(self.step(), method)(*inputs)

    def note_run(self) -> None:
        """Note that the step's Python code has run."""
        self._has_run_python = False
        if self._is_in_ambient_mode:
            return
        if self._version is not None and (stamp.count != self._checked_stamp or self._is_watched):
            self._written.update(self._version.accept_own_changes())
        self._checked_stamp = stamp.count
        if self._runs_until_capture:
            self._runs_until_capture -= 1
            self._checked_stamp = -1 if self._runs_until_capture == 0 else self._checked_stamp

    def _run_python(self, batch: Any) -> Any:
        self._has_run_python = True
        return self._function(batch)

    # ------------------------------------------------------------------- choosing

    def _choose(self) -> Any:
        """Choose which step to run now."""
        # A mode such as autocast changes what operations do: nothing captured is valid, and nothing may be captured.
        if self.backend.ambient_mode() is not None:
            self._version, self._is_in_ambient_mode = None, True
            self._checked_stamp = -1
            return self._plain_step()
        version = self._version
        if version is not None and stamp.count == self._checked_stamp and version.is_same_unstamped():
            return version.step
        # The slow path: something has moved the stamp, or a watched value has changed.
        with turns.growing():
            self._model._renew_snapshot()
            return self._use(None if self._is_plain() else self._fitting())

    def _is_plain(self) -> bool:
        return self._is_plain_always or self._model.run_eagerly or config.functions_run_eagerly()

    def _use(self, version: _Version | None) -> Any:
        self._version, self._is_in_ambient_mode = version, False
        self._step = self._plain_step() if version is None else version.step
        self._is_watched = version is not None and bool(version.reach.watched)
        self._checked_stamp = stamp.count
        return self._step

    def _plain_step(self) -> Any:
        """Return the eager step, which reads settings as it runs."""
        if self._plain is None and not self._is_call:
            self._plain = self._make_plain(self._run_python)
        return self._plain

    def _fitting(self) -> _Version | None:
        """Return the version that fits; None if the step can't be captured, or not yet."""
        for version in self._versions:
            if version.fits():
                # Most recently used first: the least recently used version is evicted.
                self._put_first(version)
                self._methods = version.reach.methods
                return version
        self._ignore_written()
        reach = self._reach()
        # Foreign code may have side effects in every call: only engines that trace steps may capture it.
        if not (reach.is_own or self._captures_foreign_code):
            return None
        numbers = self._numbers(reach)
        if not (numbers or self._is_stable(reach)):
            return None
        self._candidate = None
        return self._new(reach, numbers)

    def _put_first(self, version: _Version) -> None:
        """Replace the list by one that begins with a version: other threads may be reading the list."""
        others = [other for other in self._versions if other is not version]
        self._versions = [version, *others][:_MOST_VERSIONS]

    def _latest(self) -> _Version | None:
        return next(iter(self._versions), None)

    def _reach(self) -> Reach:
        reach = Reach(self._model, self._without, self._captures_foreign_code)
        self._methods = reach.methods
        for namespace in (*reach.namespaces, *reach.watched) if self._ignored else ():
            namespace.ignored.update(name for name in namespace.values if _key(namespace, name) in self._ignored)
        return reach

    def _ignore_written(self) -> None:
        """Stop making versions for what the step itself sets, such as a counter that is reset each epoch."""
        latest = self._latest()
        keys = _owners_by_key(latest.reach) if latest is not None else {}
        if keys and keys.keys() <= self._written.keys():
            self._versions_for_written += 1
            if self._versions_for_written > _VERSIONS_FOR_WRITTEN:
                self._ignored.update(keys)

    def _is_stable(self, reach: Reach) -> bool:
        """Whether the settings have stayed unchanged for long enough to capture a version for them."""
        if not self._is_call and (self.backend.is_traced or self._versions_made < _VERSIONS_AT_ONCE):
            return True
        if self._candidate is None or not self._candidate.is_same():
            self._candidate, self._runs_until_capture = reach, _RUNS_BEFORE_CAPTURE
        return self._runs_until_capture == 0

    def _new(self, reach: Reach, numbers: list) -> _Version:
        """Capture a version; number inputs are tested first, by the shape inference of the new step."""
        inputs = NumberInputs(numbers)
        before = stamp.count
        function = inputs.substituted(self._run_python) if inputs else self._run_python
        try:
            step = self._make(function, inputs.variables)
        except Exception:
            if not inputs:
                raise
            self._refuse(numbers)
            return self._new(self._reach(), [])
        # Making the step has created or set something, so the reach found before is out of date.
        if stamp.count != before and not inputs:
            reach = self._reach()
        self._has_run_python = False
        version = _Version(step, reach, inputs)
        self._untried = step if inputs else None
        self._put_first(version)
        self._versions_made += 1
        return version

    # ---------------------------------------------------------- numbers as inputs

    def _numbers(self, reach: Reach) -> list[tuple]:
        """Return (namespace, name) of each number that keeps changing."""
        # Count how often each number has changed since the values were last compared.
        latest = self._latest()
        previous = self._candidate or (latest and latest.reach)
        for namespace, name, old, new in previous.differences() if previous else ():
            if may_be_input(old) and may_be_input(new) and not isinstance(namespace.owner, ModuleType):
                change = self._changes.setdefault(_key(namespace, name), [namespace, 0])
                change[1] += 1
        known = {
            _key(namespace, name): (namespace, name)
            for namespace in (*reach.namespaces, *reach.watched)
            for name in namespace.values
        }
        wanted = [key for key, (_, count) in self._changes.copy().items() if count >= _CHANGES_BEFORE_INPUT]
        found = [known[key] for key in wanted if key in known]
        return [(namespace, name) for namespace, name in found if may_be_input(namespace.values[name])]

    def _refuse(self, numbers: list) -> None:
        for namespace, name in numbers:
            self._changes[_key(namespace, name)][1] = float("-inf")

    def _refuse_numbers(self) -> None:
        """Discard the current version, whose numbers can't be inputs."""
        version, *self._versions = self._versions
        self._refuse(version.numbers.namespaces)
        self._checked_stamp = -1


def _owners_by_key(reach: Reach) -> dict[tuple, Any]:
    """Return the owners of whatever was set since, by key."""
    return {_key(namespace, name): namespace.owner for namespace, name, _, _ in reach.differences()}


def _key(namespace: Any, name: Any) -> tuple:
    return id(namespace.owner), type(namespace), name
