"""Penalties put on the variables of a model, so that they act and are saved.

First everything is decided (`Attachment`), then refused or applied; nothing is changed
in between.
"""

from typing import Any, NamedTuple

import keras

from keras_decay.models import all_layers, owners_by_id
from keras_decay.regularizers import Penalty
from keras_decay.tools._penalties import same
from keras_decay.tools._survival import deciders, loads_alike, units
from keras_decay.tools._track_strength import (
    check_trackable,
    release_strengths,
    track_strength,
)


class Outcome(NamedTuple):
    """What becomes of one variable.

    Attributes:
        variable: The variable.
        penalty: Its new penalty, or None for none.
        before: Its penalty of before.
        owner: A layer that holds it.
        lost: Why the saved model will not have the new penalty, or None if it will.
    """

    variable: Any
    penalty: Any
    before: Any
    owner: Any
    lost: str | None


class Attachment:
    """New penalties for some variables of a model, and what they come to.

    Args:
        model: The model.
        penalties: Pairs (variable, penalty or None).
    """

    def __init__(self, model, penalties):
        self.model = model
        self._assignments: list[tuple[Any, str, Any]] = []
        targets = {id(variable): penalty for variable, penalty in penalties}
        owners = owners_by_id(model)
        lost = self._decide(targets, {id(v): v for v, _ in penalties})
        loads = {id(p): loads_alike(p) for p in targets.values()}
        self.outcomes = []
        for variable, penalty in penalties:
            why = lost.get(id(variable), "no config holds its layer")
            if not loads[id(penalty)]:
                why = (
                    "the penalty cannot be loaded: is its class registered with Keras?"
                )
            owner = owners[id(variable)][0]
            self.outcomes.append(
                Outcome(variable, penalty, variable.regularizer, owner, why)
            )
            check_trackable(owner, penalty)
        decided = {(id(layer), name) for layer, name, _ in self._assignments}
        for variable, penalty in penalties:
            for layer in owners[id(variable)]:
                name = namesake(layer, variable)
                if name and (id(layer), name) not in decided:
                    self._assignments.append((layer, name, penalty))

    def _decide(self, targets, changed):
        """Why each of the changed variables would be lost; None for those that stay."""
        lost: dict[int, str | None] = {}
        for unit in units(self.model):
            if changed.keys().isdisjoint(id(v) for v in unit.weights):
                continue
            slots, problem = deciders(unit)
            governed: dict[Any, list[Any]] = {}
            for variable in unit.weights:
                slot = slots.get(id(variable))
                if slot is not None:
                    layer, name = slot
                    governed.setdefault((id(layer), name, layer), []).append(variable)
                elif id(variable) in changed:
                    own = f"{type(unit).__name__} {unit.name!r}: "
                    lost[id(variable)] = own + (
                        problem or "its config does not hold the penalty"
                    )
            for (_, name, layer), variables in governed.items():
                if changed.keys().isdisjoint(id(v) for v in variables):
                    continue
                wanted = [targets.get(id(v), v.regularizer) for v in variables]
                agree = all(same(wanted[0], other) for other in wanted)
                kept = wanted[0] if agree else getattr(layer, name)
                # Also where it stays what it is: the namesakes must not change it.
                self._assignments.append((layer, name, kept))
                shared = f"{type(layer).__name__} {layer.name!r} has one `{name}` for "
                paths = ", ".join(v.path for v in variables)
                for variable, penalty in zip(variables, wanted, strict=True):
                    if id(variable) in changed:
                        right = agree or same(kept, penalty)
                        lost[id(variable)] = None if right else shared + paths
        return lost

    @property
    def lost(self):
        """The outcomes that a saved model will not have."""
        return [outcome for outcome in self.outcomes if outcome.lost is not None]

    def refuse_lost(self, what, remedy):
        """Raise if anything would be lost on saving.

        Raises:
            ValueError: With the variables and the reasons.
        """
        if self.lost:
            listing = "".join(f"\n  {o.variable.path}: {o.lost}" for o in self.lost)
            raise ValueError(f"{what} of these variables:{listing}\n{remedy}")

    def apply(self):
        """Put the penalties in place, and have the training step compiled anew."""
        for outcome in self.outcomes:
            outcome.variable.regularizer = outcome.penalty
        for layer, name, penalty in self._assignments:
            setattr(layer, name, penalty)
        self._hold_strengths()
        for layer in all_layers(self.model):
            if isinstance(layer, keras.Model):
                layer.train_function = layer.test_function = None

    def _hold_strengths(self):
        everything = all_layers(self.model)
        used = [v.regularizer for v in self.model.weights]
        used += [layer.activity_regularizer for layer in everything]
        strengths = {id(v) for p in used for v in getattr(p, "variables", ())}
        gone = [
            o.before
            for o in self.outcomes
            if isinstance(o.before, Penalty)
            and strengths.isdisjoint(id(v) for v in o.before.variables)
        ]
        release_strengths(everything, gone)
        for outcome in self.outcomes:
            if getattr(outcome.penalty, "variables", None):
                track_strength(outcome.owner, outcome.penalty)


def namesake(layer, variable):
    """The attribute of the layer that is called like the variable, or None.

    It decides in all of Keras' own layers but depthwise convolutions, and in the layers
    within others, which a config does not hold, it at least tells what is so.
    """
    for name in (variable.name, variable.name.removesuffix("_kernel")):
        if f"{name}_regularizer" in vars(layer):
            return f"{name}_regularizer"
    return None
