"""Which axes of a layer's weights lead from an input, to an output, to a head.

The one table of it; `docs/axes.md` shows it to users.
"""

import re
from typing import NamedTuple

import keras

from keras_decay.models import held

layers = keras.layers


class Row(NamedTuple):
    """The axes of one variable of some layers; a text says why there is no such axis.

    Attributes:
        layers: The names of the classes.
        variable: The variable's name.
        shape: Its shape, in words.
        input, output, head: The axes that keep one of them together.
    """

    layers: tuple[str, ...]
    variable: str
    shape: str
    input: int | tuple[int, ...] | str
    output: int | tuple[int, ...] | str
    head: str = "there are no heads"


GATES = (
    "the gates lie side by side along the last axis, so that what leads to one unit is "
    "no single slice"
)
CONVOLUTIONS = tuple(f"Conv{rank}D" for rank in (1, 2, 3))
TRANSPOSED = tuple(f"Conv{rank}DTranspose" for rank in (1, 2, 3))
DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
SEPARABLE = ("SeparableConv1D", "SeparableConv2D")
ROWS = (
    Row(("Dense",), "kernel", "(inputs, outputs)", 0, 1),
    Row(CONVOLUTIONS, "kernel", "(space…, inputs, outputs)", -2, -1),
    Row(TRANSPOSED, "kernel", "(space…, outputs, inputs)", -1, -2),
    Row(DEPTHWISE, "kernel", "(space…, inputs, multiplier)", -2, (-2, -1)),
    Row(SEPARABLE, "depthwise_kernel", "(space…, inputs, multiplier)", -2, (-2, -1)),
    Row(SEPARABLE, "pointwise_kernel", "(1…, inputs · multiplier, outputs)", -2, -1),
    Row(("Embedding",), "embeddings", "(vocabulary, features)", 0, 1),
    Row(("SimpleRNN",), "kernel", "(inputs, units)", 0, 1),
    Row(("SimpleRNN",), "recurrent_kernel", "(units before, units)", 0, 1),
    Row(("LSTM", "GRU"), "kernel", "(inputs, gates · units)", 0, GATES),
    Row(("LSTM", "GRU"), "recurrent_kernel", "(units before, gates · units)", 0, GATES),
    Row(("ConvLSTM",), "kernel", "(space…, inputs, gates · filters)", -2, GATES),
    Row(
        ("ConvLSTM",),
        "recurrent_kernel",
        "(space…, filters before, gates · filters)",
        -2,
        GATES,
    ),
)
# The projections inside attention: their role, what axis a head is, and the shape.
HEADS = {
    "query": (1, "(inputs, heads, size)"),
    "key": (1, "(inputs, heads, size)"),
    "value": (1, "(inputs, heads, size)"),
    "gate": (1, "(inputs, heads, size)"),
    "attention_output": (0, "(heads, size, outputs)"),
}
ATTENTION = (layers.MultiHeadAttention, layers.GroupQueryAttention)


def attention_roles(tree):
    """The names of the projections inside attention layers, by their ids.

    Args:
        tree: All layers of a model, also those within others.
    """
    return {
        id(part): part.name
        for layer in tree
        if isinstance(layer, ATTENTION)
        for _, part in held(layer)
        if isinstance(part, layers.EinsumDense) and part.name in HEADS
    }


def axis_of(name, variable, owners, roles):
    """The axis that `name` means for a variable, as a number or a tuple of them.

    Args:
        name: `"input"`, `"output"` or `"head"`.
        variable: The variable.
        owners: The layers that hold it.
        roles: See `attention_roles`.

    Raises:
        ValueError: If the layer is not in the table, or has no such axis.
    """
    for layer in owners:
        if isinstance(layer, layers.EinsumDense) and variable.name == "kernel":
            found = einsum_axis(name, layer.equation, roles.get(id(layer)))
        else:
            row = row_of(layer, variable)
            if row is None:
                continue
            found = getattr(row, name)
            if name == "input" and getattr(layer, "groups", 1) > 1:
                found = "in a grouped convolution a slice belongs to several inputs"
        if isinstance(found, str):
            refuse(name, variable, layer, found)
        return found
    refuse(name, variable, owners[0] if owners else None, "its kind is not known")


def row_of(layer, variable):
    """The row of the table for a variable of a layer, or None."""
    kinds = {
        kind.__name__.removesuffix("Cell")
        for kind in type(layer).__mro__
        if kind.__module__.startswith("keras.")
    }
    for row in ROWS:
        if row.variable == variable.name and kinds.intersection(row.layers):
            return row
    return None


def einsum_axis(name, equation, role):
    """The axes by an equation such as `"abc,cde->abde"`, or why there are none.

    What leads to one output shares all indices of the kernel that the output has.
    """
    if name == "head":
        return HEADS[role][0] if role else "there are no heads"
    inputs, kernel, outputs = re.split(r",|->", equation.replace(" ", ""))
    wanted = inputs if name == "input" else outputs
    found = tuple(index for index, letter in enumerate(kernel) if letter in wanted)
    if not found:
        return f"no axis of its kernel is one of the {name}, by {equation!r}"
    return found[0] if len(found) == 1 else found


def refuse(name, variable, layer, reason):
    """Say why a name cannot be resolved and what to give instead."""
    kind = "no layer" if layer is None else f"{type(layer).__name__} {layer.name!r}"
    raise ValueError(
        f"`axis` cannot be {name!r} for the variable {variable.path!r} of {kind}: "
        f"{reason}. Give the axis of its shape {tuple(variable.shape)} as a number, or "
        f"a tuple of numbers. Received: axis={name!r}"
    )
