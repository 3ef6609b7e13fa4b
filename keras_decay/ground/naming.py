"""Public classes and functions are named by their room, not by their file.

Pickles and the configs of saved models hold `__module__`. They still load after a class
has moved to another file of its room. `inspect.getsource` does not find the source of
such a class, as with NumPy's and JAX' classes; that of its methods it finds.
"""

import sys
import types


def name_by_room(room):
    """Set `__module__` of what a room defines and offers to the room's name.

    Args:
        room: The module name of the room's face, which has its `__all__` by now.
    """
    face = vars(sys.modules[room])
    for name in face["__all__"]:
        thing = face.get(name)  # None where the face loads it on demand
        if not isinstance(thing, (type, types.FunctionType)):
            continue
        if thing.__module__.startswith(f"{room}."):
            thing.__module__ = room
