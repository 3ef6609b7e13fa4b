"""Learning curves as data: their rows, what they say, and how they are drawn.

"Learning curve" means metric against epoch here. scikit-learn uses the words for
metric against the size of the training set.

The public names are `Diagnosis`, `diagnose`, `plot_curves` and `read_curves`. For the
rooms above:

- `data`: curves as rows.
- `verdict`: the verdict on a curve, and its statistics.
- `draw`: pictures of curves.
"""

from keras_decay.curves.data.readers import read_curves
from keras_decay.curves.draw.overlay import plot_curves
from keras_decay.curves.verdict.diagnosis import Diagnosis, diagnose
from keras_decay.ground.naming import name_by_room

__all__ = [
    "Diagnosis",
    "data",
    "diagnose",
    "draw",
    "plot_curves",
    "read_curves",
    "verdict",
]

name_by_room(__name__)
