"""The layers and variables of a Keras model, and which layer holds which variable.

There are two lists of layers. `layers_of` is Keras' own: the layers that Keras tracks,
in Keras' order, which is the same in two models of one structure. `all_layers` follows
the attributes of every layer, and so finds a layer that Keras does not track, too. Both
have the layers inside attention, wrappers and recurrent layers, which `model.layers`
leaves out.
"""

import keras

CONTAINERS = (list, tuple, set, frozenset, dict)


def layers_of(layer, *, itself=True, nested=True):
    """The layers that Keras tracks within a model or layer, each once.

    Args:
        layer: A model or layer.
        itself: Whether the list begins with `layer`.
        nested: Whether the layers within these layers follow.
    """
    return layer._flatten_layers(include_self=itself, recursive=nested)


def all_layers(layer):
    """A layer and all layers within it, each once, also those in its attributes."""
    found: list[keras.Layer] = []
    seen, left = {id(layer)}, [layer]
    while left:
        found.append(left.pop())
        for _, thing in held(found[-1]):
            if isinstance(thing, keras.Layer) and id(thing) not in seen:
                seen.add(id(thing))
                left.append(thing)
    return found


def holders_by_id(model):
    """For the id of each variable the pairs (layer that holds it, its attribute).

    A variable may have several holders: a table that also makes the logits has two.
    """
    holders: dict[int, list] = {}
    for layer in all_layers(model):
        for attribute, thing in held(layer):
            if isinstance(thing, keras.Variable):
                holders.setdefault(id(thing), []).append((layer, attribute))
    return holders


def owners_by_id(model):
    """For the id of each variable the layers that hold it, each once."""
    return {
        key: unique(layer for layer, _ in pairs)
        for key, pairs in holders_by_id(model).items()
    }


def held(layer):
    """The pairs (attribute, layer or variable) of a layer, also inside containers."""
    pairs, seen = list(vars(layer).items()), set()
    while pairs:
        attribute, thing = pairs.pop()
        if isinstance(thing, (keras.Variable, keras.Layer)):
            yield attribute, thing
        elif isinstance(thing, CONTAINERS) and id(thing) not in seen:
            seen.add(id(thing))
            inside = thing.values() if isinstance(thing, dict) else thing
            pairs += [(attribute, item) for item in inside]


def unique(things):
    """The things, each once. Keras' variables compare by value, so identity counts."""
    return list({id(thing): thing for thing in things}.values())
