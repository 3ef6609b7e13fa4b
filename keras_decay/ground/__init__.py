"""The ground floor: every room may use it, and it imports no other room.

- `arithmetic`: tensors computed without overflow, NaN or loss of precision.
- `backend`: operations that Keras lacks or offers differently on its three backends.
- `files`: files written whole, and by one training at a time.
- `frames`: tables as pandas data frames.
- `looks`: colours, kinds of lines, and places of labels in figures.
- `naming`: `__module__` of what a room offers.
- `progress`: a bar on a terminal.
- `schema`: the columns of a learning curve's row.
- `tables`: tables as text.
- `validation`: checks of arguments, and the form of their messages.

Import a module by its name (`from keras_decay.ground import validation`). Each loads
when it is imported, so that Keras, pandas and rich load only where they are needed.
"""

__all__ = [
    "arithmetic",
    "backend",
    "files",
    "frames",
    "looks",
    "naming",
    "progress",
    "schema",
    "tables",
    "validation",
]
