"""The units of a model followed from layer to layer, and which of them can go.

Forward, constants: a unit all of whose inputs are constants is one itself. Backward,
need: a unit is needed if a unit that stays has a weight for it, unless it is a constant
that the bias can take over. One pass each way finds all there is to find, because what
goes for want of use changes no constant.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_decay.tools._pruning import _features, _kernels
from keras_decay.tools._pruning._elementwise import applied, array, is_elementwise
from keras_decay.tools._pruning._features import NOBODY, Features, fresh


@dataclass(eq=False)
class Kernel:
    """A Dense or convolutional layer that is followed.

    Attributes:
        layer: The layer.
        features: The `Features` that enter.
        joins: Which of them has a weight to which unit.
        foldable: Which of them the bias can take over.
        units: The numbers of its units.
        constant: Which of its units put out a constant.
    """

    layer: Any
    features: Features
    joins: np.ndarray
    foldable: np.ndarray
    units: np.ndarray
    constant: np.ndarray


class Flow:
    """What a `Graph` does with units.

    Attributes:
        kernels: The `Kernel`s by name of the layer, from the inputs on.
        passed: For layers without units of their own, by name: layer, `Features`
            before and behind.
        ends: Pairs of a tensor and a reason: the units in it are needed, because
            beyond it nothing is followed; or None, because the model puts it out.
        bound: Pairs of numbers of units and a reason, likewise.
        unfollowed: Of layers at which units are lost sight of, the names and classes.
    """

    def __init__(self, graph):
        self.kernels = {}
        self.passed = {}
        self.ends: list[tuple[tuple[str, int], str | None]] = []
        self.bound: list[tuple[np.ndarray, str | None]] = []
        self.unfollowed = {}
        self._outputs = graph.outputs
        self.count = 0
        self._found = {}
        self._seen = set()
        for node in graph.nodes:
            found = self._behind(node)
            if found is not None:
                self._found[node.name, 0] = found
            self._seen.add(node.name)
        for name in graph.outputs:
            self.ends.append(((name, 0), None))

    def ended(self):
        """Pairs of numbers of units that must stay and the reason, or None."""
        yield from self.bound
        for tensor, reason in self.ends:
            if tensor in self._found:
                yield self._found[tensor].owner, reason

    def follows(self):
        """Whether any layer's units are followed to the weights of another."""
        kernels = self.kernels.values()
        return any((kernel.features.owner != NOBODY).any() for kernel in kernels)

    def used(self):
        """Which units have an outgoing weight, and which are lost sight of."""
        used, lost = (np.zeros(self.count + 1, bool) for _ in range(2))
        for kernel in self.kernels.values():
            used[kernel.features.owner[kernel.joins.any(1)]] = True
        for owners, reason in self.ended():
            (used if reason is None else lost)[owners] = True
        return used, lost

    def _behind(self, node):
        if not node.inputs:
            return None
        tensors = [(tensor.layer, tensor.index) for tensor in node.inputs]
        if node.plain and all(tensor.layer in self._seen for tensor in node.inputs):
            if _kernels.is_kernel_layer(node.layer):
                found = self._kernel(node, tensors[0])
            elif node.kind == "Concatenate" and node.layer is not None:
                found = self._joined(node)
            else:
                found = self._passed(node, tensors)
            if found is not None:
                return found
            if node.name in self.kernels:  # its inputs are followed, its units are not
                return None
        what = node.kind if node.plain else f"{node.kind}, called in a way of its own"
        if self._loses(node, tensors):
            self.unfollowed[node.name] = what
        reason = f"{node.name!r} ({what}) is not followed"
        self.ends += [(tensor, reason) for tensor in tensors]
        return None

    def _loses(self, node, tensors):
        """Whether units end at a node, or it has some of its own, not understood."""
        entering = [self._found[t].owner for t in tensors if t in self._found]
        if any((owner != NOBODY).any() for owner in entering):
            return True
        known = node.layer is None or type(node.layer) in _features.RULES
        return not known and any(len(w.shape) > 1 for w in node.layer.weights)

    def _passed(self, node, tensors):
        entering = self._found.get(tensors[0])
        if node.layer is None or len(tensors) != 1 or entering is None:
            return None
        shape = node.inputs[0].shape
        behind = _features.after(node.layer, entering, shape)
        if behind is not None:
            self.passed[node.name] = (node.layer, entering, behind)
        return behind

    def _joined(self, node):
        """Concatenation along the axis of the units."""
        rank = len(node.inputs[0].shape)
        axis = node.layer.axis % rank
        parts = []
        for tensor in node.inputs:
            found = self._found.get((tensor.layer, tensor.index))
            if found is None and tensor.shape[axis] is not None:
                found = fresh(tensor.shape[axis], axis)
            if found is None or found.axis != axis:
                return None
            parts.append(found)
        arrays = [
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("owner", "known", "value")
        ]
        behind = Features(arrays[0], arrays[1], arrays[2], axis)
        self.passed[node.name] = (node.layer, behind, behind)
        return behind

    def _kernel(self, node, tensor):
        layer, rank = node.layer, len(node.inputs[0].shape)
        axis = _kernels.input_axis(layer, rank)
        joins = _kernels.joins(layer)
        entering = self._found.get(tensor)
        if entering is None:
            entering = fresh(len(joins), axis)
        if entering.axis != axis:
            return None
        foldable = entering.known & (entering.value == 0)
        if _kernels.sees_the_same_everywhere(layer):
            foldable = entering.known
        units = np.arange(self.count, self.count + joins.shape[1])
        self.count += len(units)
        constant = ~joins[~foldable].any(0)
        kernel = Kernel(layer, entering, joins, foldable, units, constant)
        self.kernels[node.name] = kernel
        if not is_elementwise(layer.activation):
            activation = layer.activation
            name = getattr(activation, "__name__", type(activation).__name__)
            if node.name in self._outputs:
                self.bound.append((units, None))
            else:
                reason = f"its activation ({name}) is not known to keep units apart"
                self.bound.append((units, reason))
                self.unfollowed[node.name] = f"{node.kind} with activation {name}"
            return None
        value = layer_bias(layer) + folded(kernel, foldable)
        value = applied(
            layer.activation, np.where(constant, value, 0), layer.compute_dtype
        )
        behind = Features(units, constant, value, axis).with_values(value)
        kernel.constant = behind.known
        return behind


def layer_bias(layer):
    """The bias in float64; zero where there is none."""
    return array(layer.bias).astype("float64") if layer.use_bias else 0.0


def folded(kernel, rows):
    """What the constants among some inputs add to each unit, in float64."""
    rows = np.flatnonzero(rows & kernel.foldable & (kernel.features.value != 0))
    if not rows.size:
        return np.zeros(len(kernel.units))
    return kernel.features.value[rows] @ _kernels.sums(kernel.layer, rows)


class Need:
    """Which units of a `Flow` are needed, and why the constants among them are.

    Attributes:
        kept: For each unit whether it stays; one entry more stands for `NOBODY`.
        reasons: By number of the unit, why it could not go though it may be dead.
    """

    def __init__(self, flow):
        self.kept = np.zeros(flow.count + 1, bool)
        self.kept[NOBODY] = True
        self.reasons = {}
        for owners, reason in flow.ended():
            self._keep(owners, reason)
        for name, kernel in reversed(flow.kernels.items()):
            staying = self.kept[kernel.units]
            if not staying.any():  # a layer without units cannot be
                staying[np.argmax(kernel.constant)] = True
                self.kept[kernel.units] = staying
            rows = kernel.joins[:, staying].any(1) & ~kernel.foldable
            reason = f"their constant cannot be folded into {name!r} (padding)"
            self._keep(kernel.features.owner[rows], reason)

    def _keep(self, owners, reason):
        self.kept[owners] = True
        for owner in map(int, np.unique(owners)):
            self.reasons.setdefault(owner, reason)

    def entering(self, features):
        """Which of the features stay."""
        return self.kept[features.owner]
