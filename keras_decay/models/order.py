"""In which order data flows through a model's layers, where Keras knows it."""

import keras


def is_ordered(layer):
    """Whether Keras knows the order of its layers: Sequential and functional models."""
    return isinstance(layer, keras.Sequential) or hasattr(layer, "operations")


def layers_before(model):
    """The layers that lead to each layer of an ordered model.

    Returns:
        By the id of each layer, the set of the ids of the layers whose outputs reach
        it, in this model and directly or not.
    """
    before: dict[int, frozenset] = {}
    if isinstance(model, keras.Sequential):
        ids = [id(layer) for layer in model.layers]
        return {each: frozenset(ids[:i]) for i, each in enumerate(ids)}
    # A layer's own list of nodes has its uses in other models, too.
    for depth in sorted(model._nodes_by_depth, reverse=True):  # inputs first
        for node in model._nodes_by_depth[depth]:
            found = before.get(id(node.operation), frozenset())
            for parent in node.parent_nodes:
                above = id(parent.operation)
                found |= {above} | before.get(above, frozenset())
            before[id(node.operation)] = found
    return before
