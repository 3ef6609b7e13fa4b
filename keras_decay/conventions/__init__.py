"""One language for strength: what λ means in different places, and `convert`.

For the rooms above:

- `CONVENTIONS`: every convention by its name; `find_convention` knows aliases too.
- `Missing`, `Refused`: errors of `convert`, which hold names and a reason as data.
"""

from keras_decay.conventions.conversion import convert
from keras_decay.conventions.refusals import Missing, Refused
from keras_decay.conventions.table import CONVENTIONS, find_convention
from keras_decay.ground.naming import name_by_room

__all__ = ["CONVENTIONS", "Missing", "Refused", "convert", "find_convention"]

name_by_room(__name__)
