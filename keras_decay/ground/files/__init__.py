"""Files that are written: whole or not at all, and by one training at a time.

- `replace`: put a new file in the place of an old one, all at once.
- `new_folder`: make a folder with files in it, all at once.
- `remove_leftovers`: remove what killed processes have left of `replace`.
- `check_writable`: an error now for a path that cannot be written later.
- `WriteLock`: the right to write a file.
"""

from keras_decay.ground.files.atomic import (
    check_writable,
    new_folder,
    remove_leftovers,
    replace,
)
from keras_decay.ground.files.lock import WriteLock

__all__ = ["WriteLock", "check_writable", "new_folder", "remove_leftovers", "replace"]
