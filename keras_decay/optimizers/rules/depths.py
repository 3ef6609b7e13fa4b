"""How far from the output each variable of a model stands, found from its structure.

A model is a row of units from input to output. Keras knows the order of the layers of
Sequential and functional models. A subclassed model or layer that holds one list of
blocks is that list, between what is assigned before it and what is assigned after it.
Anything else is an `Unknown`.
"""

import functools
import re
from collections import Counter
from typing import NamedTuple

import keras

from keras_decay.models import (
    EMBEDDINGS,
    RELATIVE_POSITION,
    decays_by_default,
    is_head_of_table,
    is_ordered,
    layers_before,
    layers_of,
    unique,
    variable_kinds,
)

TABLES = (*EMBEDDINGS, RELATIVE_POSITION)
# Attributes that nobody assigns for the input side, and lists of what is side by side.
OUTPUT_NAME = re.compile(r"(^|_)(head|classifier|logits?|pooler|predictions?)(_|\d|$)")
PARALLEL_NAME = re.compile(r"expert|branch|head|tower|ensemble|member")
# ELECTRA's: a layer between narrow embeddings and the first block.
PROJECTION_NAME = re.compile(r"(^|_)embeddings?_proj(ect(ion|or)?)?(_\d+)?$")
# A patch projection. What has more layers before its tables is a network of its own.
MOST_BEFORE_TABLES = 1


class Unknown(Exception):
    """The structure does not tell the depths; the message says what was found."""


class Unit(NamedTuple):
    """Variables of one depth.

    Attributes:
        weights: The variables.
        sources: The ids of the variables of all layers that lead to it.
        has_tables: Whether there are embedding tables or tokens among the variables.
        is_tail: Whether it stands after a list of blocks.
    """

    weights: list
    sources: frozenset = frozenset()
    has_tables: bool = False
    is_tail: bool = False

    @property
    def counts(self):
        """Whether it has a weight that is decayed by default."""
        return any(map(_is_decayed, self.weights))


def depths_by_structure(model):
    """The depth of each variable of a model, by its id; the last unit has depth 0.

    A unit without a weight that is decayed by default does not count, and goes with
    the one before it; right after a list of blocks, with the one behind it, as the last
    normalisation goes with the head in BEiT. A variable without a place is left out.

    Raises:
        Unknown: If the structure does not tell.
    """
    weights = unique(model.weights)
    kinds = variable_kinds(model, weights)
    pairs = zip(weights, kinds, strict=True)
    tables = {id(w) for w, kind in pairs if kind in TABLES}
    units = _with_one_stem(_Walk(tables).units_of(model))
    depth, found = 0, dict[int, int]()
    for unit in reversed(units):
        joins_head = unit.is_tail and not unit.counts and depth
        for weight in unit.weights:
            # A shared variable has the depth of its unit nearest to the input; a head
            # that a table's layer holds has that of its unit nearest to the output.
            if not (id(weight) in found and is_head_of_table(weight)):
                found[id(weight)] = depth - bool(joins_head)
        depth += unit.counts
    return found


def _with_one_stem(units):
    """The units, with all tables and a projection that leads to them made the first."""
    stem: set[int] = set()
    for index, unit in enumerate(units):
        # A table that also makes the logits stands again behind all others.
        earlier = enumerate(units[:index])
        before = [i for i, u in earlier if _ids(u.weights) & unit.sources]
        network = [i for i in before if units[i].counts and not units[i].has_tables]
        is_tied = not unit.sources.isdisjoint(_ids(unit.weights))  # as in a head
        if unit.has_tables and not is_tied and len(network) <= MOST_BEFORE_TABLES:
            stem |= {index, *before}
    if not stem:
        return units
    first = Unit([w for i in sorted(stem) for w in units[i].weights], has_tables=True)
    return [first, *(unit for i, unit in enumerate(units) if i not in stem)]


class _Walk:
    """A walk through a model.

    Args:
        tables: The ids of the variables that are embedding tables or tokens.
    """

    def __init__(self, tables):
        self.tables = tables

    def units_of(self, layer, sources=frozenset()):
        """The units of a model or layer that is divisible, from input to output."""
        if not is_ordered(layer):
            return self._around_blocks(layer, sources)
        units, logits = [], []
        layers = [each for each in layer.layers if each.weights]
        blocks, leading = _blocks_among(layers), layers_before(layer)
        left, may_be_tail = blocks, bool(blocks)
        for each in layers:
            lead = [other for other in layers if id(other) in leading[id(each)]]
            before = sources.union(*(_ids(other.weights) for other in lead))
            left = left - {id(each)}
            is_stage = id(each) in blocks and _is_stage(each)
            if is_stage or (id(each) not in blocks and _is_divisible(each)):
                units += self.units_of(each, before)
            elif id(each) in blocks:
                units.append(self._unit(each.weights, before))
            else:
                unit = self._unit(each.weights, before, may_be_tail and not left)
                if unit.counts and not left:
                    may_be_tail = False
                if PROJECTION_NAME.search(each.name):
                    unit = unit._replace(has_tables=True)
                if unit.has_tables and id(each) in leading[id(each)]:
                    # It is listed once, though it makes the logits too.
                    logits.append(unit)
                    unit = unit._replace(sources=sources)
                units.append(unit)
        return units + logits

    def _unit(self, weights, sources, is_tail=False):
        # Tables decide where they are all that a layer has to decay: relative positions
        # in a block do not make an embedding of it.
        decayed = [w for w in weights if _is_decayed(w) and not is_head_of_table(w)]
        has_tables = bool(decayed) and _ids(decayed) <= self.tables
        return Unit(list(weights), sources, has_tables, is_tail)

    def _around_blocks(self, layer, sources):
        members = _members(layer)
        names = [name for name, things, is_list in members if is_list]
        if len(names) != 1:
            parts = [name for name, _, is_list in members if not is_list]
            raise Unknown(
                f"{type(layer).__name__} {layer.name!r} holds {parts or 'nothing'} and "
                f"the lists of blocks {names}, where one list is needed."
            )
        stem, blocks, tail = [], [], []
        for name, things, is_list in members:
            weights = [w for thing in things for w in _weights(thing)]
            if is_list:
                for block in things:
                    if _is_stage(block):
                        blocks += self.units_of(block, sources)
                    else:
                        blocks.append(self._unit(block.weights, sources))
            elif _ids(weights) <= self.tables or (
                not blocks and any(isinstance(t, keras.Layer) for t in things)
            ):
                stem += weights
                self._check_place(layer, name, things, weights)
            elif any(isinstance(t, keras.Layer) for t in things):
                tail += weights
        first = Unit(stem, sources, bool(_ids(stem) & self.tables))
        last = self._unit(tail, sources, is_tail=True)
        return [first] * bool(stem) + blocks + [last] * bool(tail)

    def _check_place(self, layer, name, things, weights):
        """Refuse a head or a whole network that is assigned before the blocks."""
        is_network = any(isinstance(t, keras.Layer) and _is_stage(t) for t in things)
        if is_network or (
            OUTPUT_NAME.search(name) and not _ids(weights) <= self.tables
        ):
            raise Unknown(
                f"{type(layer).__name__} {layer.name!r} assigns {name!r} before its "
                "list of blocks."
            )


def _ids(things):
    return {id(thing) for thing in things}


def _is_decayed(weight):
    return decays_by_default(weight.path, len(weight.shape))


def _is_own(layer):
    """Whether its class is not one of Keras'."""
    return not type(layer).__module__.startswith("keras.")


def _is_divisible(layer):
    """Whether the depth changes within a layer, or may, of a model."""
    if is_ordered(layer):
        return True
    if not _is_own(layer):
        return False
    members = _members(layer)
    if any(is_list for _, _, is_list in members):
        return True
    counting = [t for _, things, _ in members for t in things if _counts(t)]
    return isinstance(layer, keras.Model) and len(counting) > 1


def _is_stage(layer):
    """Whether a member of a list of blocks is a row of blocks itself."""
    if is_ordered(layer):
        return bool(_blocks_among(layer.layers))
    if not _is_own(layer):
        return False
    return any(
        all(_is_own(thing) and _is_composite(thing) for thing in things)
        for _, things, is_list in _members(layer)
        if is_list
    )


def _blocks_among(layers):
    """The ids of layers that have a sibling of the same kind, and layers inside."""
    composite = [each for each in layers if _is_composite(each)]
    kinds = [_kind_of_block(each) for each in composite]
    often = Counter(kinds)
    pairs = zip(composite, kinds, strict=True)
    return {id(each) for each, kind in pairs if often[kind] > 1}


def _is_composite(layer):
    inner = layers_of(layer, itself=False)
    return (_is_own(layer) or is_ordered(layer)) and any(map(_counts, inner))


def _kind_of_block(layer):
    if not is_ordered(layer):
        return type(layer)
    # Every nested model is of one class; two of a kind have weights of the same names.
    return tuple(weight.path.rsplit("/", 1)[-1] for weight in layer.weights)


def _weights(thing):
    return thing.weights if isinstance(thing, keras.Layer) else [thing]


def _counts(thing):
    return any(map(_is_decayed, _weights(thing)))


def _members(layer):
    """What a subclassed layer holds: (attribute, things, whether they are blocks).

    In the order of assignment; things are layers with weights, and variables.
    """
    members, seen = [], set()
    order = [id(each) for each in layers_of(layer, itself=False, nested=False)]
    # On PyTorch a layer that is an attribute is here, as a module within a module.
    modules = vars(layer).get("_modules", {})
    for name, value in {**modules, **vars(layer)}.items():
        things = [
            thing
            for thing in _flat(value)
            if id(thing) not in seen
            and (not isinstance(thing, keras.Layer) or thing.weights)
        ]
        if name in _own_of_keras() or name.startswith("_self_") or not things:
            continue  # lists of Keras and TensorFlow
        seen |= _ids(things)
        several = sum(isinstance(t, keras.Layer) and _counts(t) for t in things) > 1
        in_row = isinstance(value, (list, tuple)) and not PARALLEL_NAME.search(name)
        members.append((name, things, in_row and several))

    def place(member):
        places = [order.index(id(t)) for t in member[1] if id(t) in order]
        return min(places, default=-1)

    return sorted(members, key=place)


@functools.cache
def _own_of_keras():
    """The attributes that every layer and model has; named, to leave names alone."""
    return {*vars(keras.Layer(name="layer")), *vars(keras.Model(name="model"))}


def _flat(value):
    if isinstance(value, (keras.Layer, keras.Variable)):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [thing for each in value for thing in _flat(each)]
    return []
