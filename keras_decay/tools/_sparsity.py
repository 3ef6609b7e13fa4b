"""`sparsity`: the exact zeros of a model, and the units that they empty."""

import shutil

import keras
import numpy as np

from keras_decay.ground import validation
from keras_decay.ground.frames import data_frame
from keras_decay.models import layers_of
from keras_decay.tools._pruning import _graph
from keras_decay.tools._pruning._dead import constants, dead_units, is_understood
from keras_decay.tools._pruning._elementwise import array
from keras_decay.tools._pruning._flow import Flow
from keras_decay.tools._text import table, wrapped

COLUMNS = ("path", "shape", "entries", "zeros", "fraction", "nans")
# Title, key, and what `tables.Column` calls `most` and `rank`.
VARIABLES = (
    ("shape", "shape", 16, 2),
    ("entries", "entries", 12, 1),
    ("zeros", "zeros", 12, 0),
    ("fraction", "fraction", 8, 0),
    ("NaN", "nans", 12, 0),
)
LAYERS = (
    ("class", "class", 18, 2),
    ("units", "units", 9, 0),
    ("dead", "dead", 9, 0),
    ("unused", "unused", 9, 0),
)
NOTE = (
    "dead: all incoming weights are exactly zero; unused: all outgoing ones. "
    "kd.prune(model) removes what it can."
)


class Sparsity:
    """The exact zeros of a model: one row for each variable, one for each layer.

    Attributes:
        rows: A list of dictionaries, one for each weight of rank 1 or more, with the
            keys `path`, `shape`, `entries` (their number), `zeros` (how many are
            exactly zero), `fraction` (zeros over entries) and `nans`.
        layers: A list of dictionaries, one for each layer with weights of its own:
            `path`, `class`; `units`, how many units or filters it has; `dead`, how many
            of them have no incoming weight but zeros, `dead_units`, which, and
            `constant`, what these put out, the activation of their bias; `unused`, how
            many have no outgoing weight but zeros, and `unused_units`. What is not
            known, for layers of other kinds or that feed such, is None.
        entries: The number of entries of all rows.
        zeros: How many of them are exactly zero.

    `str(report)` is a table for a terminal.

    Example:

    ```python
    report = kd.sparsity(model)
    {row["path"]: row["dead"] for row in report.layers}
    ```
    """

    def __init__(self, rows, layers):
        self.rows = rows
        self.layers = layers

    @property
    def entries(self):
        """The number of entries of all rows."""
        return sum(row["entries"] for row in self.rows)

    @property
    def zeros(self):
        """How many entries are exactly zero."""
        return sum(row["zeros"] for row in self.rows)

    def to_dataframe(self):
        """The rows, one for each variable, as a pandas data frame."""
        return data_frame(self.rows, list(COLUMNS))

    def __str__(self):
        return _rendered(self, shutil.get_terminal_size((100, 24)).columns)

    def __repr__(self):
        return f"Sparsity({self.zeros} zeros of {self.entries} entries)"


def sparsity(model):
    """How many weights of a model are exactly zero, and which units that empties.

    A unit of a layer is dead if all its incoming weights are exactly zero; it then puts
    out the constant a(b), a the activation, b its bias. It is unused if all its
    outgoing weights are. Penalties by their proximal step (`kd.L1` as `penalty=` of
    `kd.DecoupledWeightDecay`) give exact zeros; in the loss they hardly ever do.
    Outgoing weights are found where `kd.prune` can follow the model.

    Args:
        model: Any built `keras.Model`; it is only read.

    Returns:
        A `Sparsity`.

    Raises:
        TypeError: If `model` is not a Keras model.
        ValueError: If it has no weights, for instance because it is not built.

    Example:

    ```python
    report = kd.sparsity(model)
    print(report)
    print(f"{report.zeros / report.entries:.0%} of the weights are zero")
    ```
    """
    if not isinstance(model, keras.Model):
        raise TypeError(validation.received("model", model, "a keras.Model"))
    weights = [w for w in model.weights if len(w.shape)]
    if not weights:
        remedy = "Call `model.build(input_shape)`, or the model on one batch, first."
        must = "built, so that it has weights"
        raise ValueError(validation.received("model", model, must, remedy))
    place = {id(weight): index for index, weight in enumerate(model.weights)}
    shown = [
        layer
        for layer in layers_of(model)
        if layer.weights
        # Innermost, but that an activation may be a layer within its layer.
        and (is_understood(layer) or not layers_of(layer, itself=False))
    ]
    shown.sort(key=lambda layer: min(place[id(weight)] for weight in layer.weights))
    unused = _unused_units(model)
    rows = [_variable_row(weight) for weight in weights]
    return Sparsity(rows, [_layer_row(layer, unused) for layer in shown])


def _variable_row(weight):
    values = array(weight)
    zeros = int(np.count_nonzero(values == 0))
    return {
        "path": weight.path,
        "shape": tuple(weight.shape),
        "entries": values.size,
        "zeros": zeros,
        "fraction": zeros / values.size if values.size else 0.0,
        "nans": int(np.isnan(values).sum()) if values.dtype.kind == "f" else 0,
    }


def _layer_row(layer, unused):
    row = {"path": layer.path, "class": type(layer).__name__}
    names = ("units", "dead", "dead_units", "constant", "unused", "unused_units")
    row |= dict.fromkeys(names)
    dead = dead_units(layer)
    if dead is None:
        return row
    values = constants(layer, dead)
    row |= {
        "units": len(dead),
        "dead": int(dead.sum()),
        "dead_units": np.flatnonzero(dead).tolist(),
        "constant": None if values is None else values.tolist(),
    }
    without = unused.get(id(layer))
    if without is not None:
        row |= {
            "unused": int(without.sum()),
            "unused_units": np.flatnonzero(without).tolist(),
        }
    return row


def _unused_units(model):
    """By the id of a layer, which units are unused, where all their ways are known."""
    found = {}
    for part in layers_of(model):
        if isinstance(part, keras.Model) and _graph.is_graph(part):
            flow = Flow(_graph.graph_of(part))
            used, lost = flow.used()
            for kernel in flow.kernels.values():
                if not lost[kernel.units].any():
                    found[id(kernel.layer)] = ~used[kernel.units]
    return found


def _rendered(report, width):
    width = max(60, width)
    rows = [row | {"nans": row["nans"] or None} for row in report.rows]
    blocks = [table(rows, width, VARIABLES)]
    if report.layers:
        blocks.append(table(report.layers, width, LAYERS, "layer"))
        blocks.append(wrapped(NOTE, width))
    share = report.zeros / report.entries
    blocks.append(f"{report.zeros} of {report.entries} entries are zero ({share:.1%}).")
    nans = [row["path"] for row in report.rows if row["nans"]]
    if nans:
        blocks.append(wrapped("! NaN in " + ", ".join(nans), width))
    return "\n\n".join(blocks)
