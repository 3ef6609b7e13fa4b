"""Which layer feeds which, read from the config that Keras saves of a model."""

from dataclasses import dataclass, field
from typing import Any

import keras


@dataclass(frozen=True)
class Tensor:
    """An output of a layer: the layer's name, which of its outputs, the shape."""

    layer: str
    index: int
    shape: tuple


@dataclass
class Node:
    """A layer or operation of the graph with what it is called on.

    Attributes:
        name: Its name, unique in the model.
        layer: The layer, or None for a bare operation such as `x + y`.
        kind: The name of its class.
        inputs: The `Tensor`s that it is called on, those of all its calls.
        plain: Whether it is called once, on one tensor or one list of tensors, and as
            at inference: no other arguments but masks.
    """

    name: str
    layer: Any
    kind: str
    inputs: list[Tensor] = field(default_factory=list)
    plain: bool = True


@dataclass(frozen=True)
class Graph:
    """The nodes from the inputs on, and the names of those whose output is put out."""

    nodes: list[Node]
    outputs: set[str]


def is_graph(model):
    """Whether Keras knows the graph of a model: sequential with inputs, functional.

    A class of the user's counts if it adds to training alone: where it has a call or
    a constructor of its own the graph does not say what the model does.
    """
    if isinstance(model, keras.Sequential):
        if not model.built or not getattr(model, "inputs", None):
            return False
        base = keras.Sequential
    elif isinstance(model, keras.Model) and isinstance(model, keras.Function):
        classes = type(model).__mro__
        base = next(c for c in classes if keras.Function in c.__bases__)
    else:
        return False
    own = type(model)
    return all(getattr(own, n) is getattr(base, n) for n in ("__init__", "call"))


def graph_of(model):
    """The `Graph` of a model that `is_graph`."""
    layers = {layer.name: layer for layer in model.layers}
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs, model.outputs)  # the same graph, with shapes
    config = model.get_config()
    # Keras writes the layers down by their depth: what feeds a layer stands before it.
    nodes = [_node(entry, layers.get(entry["name"])) for entry in config["layers"]]
    return Graph(nodes, set(_output_names(config["output_layers"])))


def _node(entry, layer):
    node = Node(entry["name"], layer, entry["class_name"])
    calls = entry["inbound_nodes"]
    node.plain = len(calls) == 1
    for call in calls:
        arguments, keywords = call["args"], call["kwargs"]
        node.plain &= len(arguments) == 1
        for keyword, value in keywords.items():
            node.plain &= keyword == "mask" or value is None or value is False
        found = list(_tensors(arguments))
        masks = list(_tensors(keywords))
        node.inputs += found + [t for t in masks if not node.plain]
    return node


def _tensors(value):
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            name, _, index = value["config"]["keras_history"]
            yield Tensor(name, index, tuple(value["config"]["shape"]))
            return
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)


def _output_names(structure):
    if isinstance(structure, dict):
        structure = list(structure.values())
    if len(structure) == 3 and isinstance(structure[0], str):
        yield structure[0]
        return
    for part in structure:
        yield from _output_names(part)
