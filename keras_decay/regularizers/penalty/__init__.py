"""What every penalty is: an interface, and an algebra of sums and multiples.

- `Penalty`: the interface, with a numerical proximal step. `Penalty.of` finds the equal
  of a Keras regularizer.
- `Sum`, `Scaled`: what `a + b` and `0.5 * a` make.
- `OfParts`: a base class for penalties of L1, L2 and group terms.
- `SumOverEntries`: a base class for sums of one function of each entry.
"""

from keras_decay.regularizers.penalty.algebra import Penalty, Scaled, Sum
from keras_decay.regularizers.penalty.kinds import OfParts, SumOverEntries

__all__ = ["OfParts", "Penalty", "Scaled", "Sum", "SumOverEntries"]
