"""Base classes: penalties of L1, L2 and group terms, and sums over entries."""

import abc

from keras import ops

from keras_decay.ground.arithmetic import computable, magnitude, smaller
from keras_decay.regularizers.maths.l1_l2_group import (
    PenaltyParts,
    is_zero,
    parts_prox,
    parts_value,
)
from keras_decay.regularizers.penalty.algebra import Penalty
from keras_decay.regularizers.strengths import strength_for, wide_prox


class OfParts(Penalty):
    """A penalty of L1, L2 and group terms. A class says which; all else follows."""

    @abc.abstractmethod
    def parts(self):
        """The `PenaltyParts`, with strengths as the penalty holds them."""

    def __call__(self, w):
        w = computable(w)
        return parts_value(w, self._parts_for(w))

    def prox(self, w, step):
        return wide_prox(self._closed_prox, w, step)

    def entrywise(self, w):
        l1, l2, groups = self._parts_for(w)
        if groups:
            return None
        if is_zero(l2):
            return l1 * magnitude(w)
        squares = l2 * ops.square(w)
        return squares if is_zero(l1) else l1 * magnitude(w) + squares

    def _closed_prox(self, w, step):
        return parts_prox(w, step, self._parts_for(w))

    def _parts_for(self, w):
        """The `PenaltyParts` with strengths that multiply the tensor `w`."""
        l1, l2, groups = self.parts()
        return PenaltyParts(
            strength_for(l1, w),
            strength_for(l2, w),
            tuple((axis, strength_for(strength, w)) for axis, strength in groups),
        )


class SumOverEntries(Penalty):
    """A penalty Ω(w) = Σ φ(|wᵢ|), φ not falling. A class says what φ is.

    The proximal step keeps the sign of an entry and brings it no further from zero. So
    it is enough to find it for the magnitude.
    """

    @abc.abstractmethod
    def entrywise(self, w):
        """Ω of each entry of `w`."""

    @abc.abstractmethod
    def magnitude_prox(self, a, step):
        """The global minimiser of ½(x − a)² + step · φ(x) over 0 ≤ x ≤ a.

        Args:
            a: Magnitudes, a float32 or float64 tensor.
            step: A scalar tensor.
        """

    def __call__(self, w):
        return ops.sum(self.entrywise(computable(w)))

    def prox(self, w, step):
        return wide_prox(self._signed_prox, w, step)

    def _signed_prox(self, w, step):
        step = ops.convert_to_tensor(step, dtype=w.dtype)
        a = ops.abs(w)
        # Without a step no bit changes, whatever rounding the search brings.
        found = ops.where(step > 0, smaller(self.magnitude_prox(a, step), a), a)
        return ops.sign(w) * found
