"""Candidates sorted into groups, each trained by one program.

`build` is called once for each candidate. Two candidates are of one group if their
models differ in the numbers of their slots alone: by their configs, and by the loss
that they compute for some rows, since a config need not say all.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_decay.search._building import build_model, first_rows
from keras_decay.search._signature import signature
from keras_decay.search._slots import filled, slots_of
from keras_decay.search._step import NotVectorizable, Step
from keras_decay.search._template import obstacle, prepare

# Rows by which models are compared.
ROWS = 8
TOLERANCE = 1e-5


@dataclass
class Member:
    """What of a candidate is its own within a group.

    Attributes:
        numbers: Of its slots.
        own: Values of variables that differ from the template's, by their position.
        weights_differ: Whether its initial weights differ from the template's, so that
            its model must be built for every seed.
    """

    numbers: np.ndarray
    own: dict[int, np.ndarray] = field(default_factory=dict)
    weights_differ: bool = False


@dataclass
class Group:
    """Candidates that one program trains, or one that none can.

    Attributes:
        candidates: Their numbers.
        members: By the candidate's number.
        step: The `Step` of the first candidate's model; None if there is an obstacle.
        reason: The obstacle.
    """

    candidates: list[int]
    members: dict[int, Member] = field(default_factory=dict)
    step: Step | None = None
    reason: str | None = None
    model: Any = None
    starts: dict[Any, list[np.ndarray]] = field(default_factory=dict)


def groups_of(job, candidates, seed, see=None):
    """The groups of these candidates, whose models are built with this seed.

    `see(candidate, model)` is called with each model as `build` made it.
    """
    x = first_rows(job.data.x, 1)
    batch = _sample(job.data)
    groups: list[Group] = []
    by_signature: dict[str, list[Group]] = {}
    for candidate in candidates:
        model = build_model(job.build, job.candidates[candidate], seed, x)
        if see is not None:
            see(candidate, model)
        reason = obstacle(model)
        if reason is not None:
            groups.append(Group([candidate], reason=reason))
            continue
        try:
            _sort(groups, by_signature, candidate, model, batch, seed)
        except Exception as error:
            # What is wrong with the model itself is raised by `fit` again.
            groups.append(Group([candidate], reason=reason_of(error)))
    return groups


def reason_of(error):
    """What an error says of why a program cannot train a model."""
    if isinstance(error, NotVectorizable):
        return str(error)
    # Without what Keras puts before and around the message of an error in a layer.
    text = re.sub(r"\x1b\[\d*m", "", str(error))
    text = re.sub(r"^Exception encountered when calling .*\n", "", text).strip()
    said = f": {text.splitlines()[0][:200]}" if text else ""
    return f"the program failed with {type(error).__name__}{said}"


def _sort(groups, by_signature, candidate, model, batch, seed):
    """Add a candidate to the group that it is of, or to a new one."""
    prepare(model)
    slots = slots_of(model)
    numbers = np.array([slot.number for slot in slots], keras.config.floatx())
    key = signature(model, slots)
    start = _values(model)
    loss = _loss(model, batch)
    for group in by_signature.get(key, ()) if key is not None else ():
        if _same(group, numbers, start, loss, batch, seed):
            group.candidates.append(candidate)
            group.members[candidate] = _member(group, numbers, start, seed)
            return
    group = Group([candidate], model=model)
    group.step = Step(model, slots, batch)
    group.members[candidate] = Member(numbers)
    group.starts[seed] = start
    groups.append(group)
    if key is not None:
        by_signature.setdefault(key, []).append(group)


def start_of(job, group, candidate, seed):
    """The values of all variables that a task starts with, in the order of `State`."""
    member = group.members[candidate]
    if member.weights_differ:
        return _built(job, candidate, seed)
    if seed not in group.starts:
        group.starts[seed] = _built(job, group.candidates[0], seed)
    values = list(group.starts[seed])
    for position, value in member.own.items():
        values[position] = value
    return values


def _built(job, candidate, seed):
    x = first_rows(job.data.x, 1)
    model = build_model(job.build, job.candidates[candidate], seed, x)
    prepare(model)
    return _values(model)


def _sample(data):
    weight = None if data.weight is None else first_rows(data.weight, ROWS)
    return first_rows(data.x, ROWS), first_rows(data.y, ROWS), weight


def _variables(model):
    return [
        *model.trainable_variables,
        *model.non_trainable_variables,
        *model.optimizer.variables,
    ]


def _values(model):
    return [np.array(ops.convert_to_numpy(v)) for v in _variables(model)]


def _loss(model, batch):
    x, y, weight = batch
    predicted = model(x, training=False)
    loss = model.compute_loss(x, y, predicted, weight, training=False)
    return float(ops.convert_to_numpy(loss))


def _same(group, numbers, start, loss, batch, seed):
    """Whether the group's template with these numbers computes the same loss."""
    template = group.starts[seed]
    if [v.shape for v in start] != [v.shape for v in template]:
        return False
    weights = len(group.step.variables.trainable) + len(group.step.variables.others)
    variables = _variables(group.model)[:weights]
    changed = [
        (variable, before)
        for variable, before, now in zip(variables, template, start, strict=False)
        if not np.array_equal(before, now)
    ]
    for variable, _ in changed:
        variable.assign(start[_position(variables, variable)])
    with filled(group.step.slots, [float(number) for number in numbers]):
        found = _loss(group.model, batch)
    for variable, before in changed:
        variable.assign(before)
    return bool(np.isclose(found, loss, rtol=TOLERANCE, atol=0, equal_nan=True))


def _position(variables, variable):
    return next(i for i, other in enumerate(variables) if other is variable)


def _member(group, numbers, start, seed):
    template = group.starts[seed]
    weights = len(group.step.variables.trainable) + len(group.step.variables.others)
    own = {
        position: now
        for position, (before, now) in enumerate(zip(template, start, strict=True))
        if not np.array_equal(before, now)
    }
    return Member(numbers, own, weights_differ=any(i < weights for i in own))
