"""The ground floor: what every room may use. It imports no other room.

- `backend`: the operations that Keras does not offer alike on its three backends.
- `files`: files written whole, and by one training at a time.
- `frames`: tables as pandas data frames.
- `looks`: colours, kinds of lines, and places of labels in figures.
- `progress`: a bar on a terminal.
- `schema`: the columns of a learning curve's row.
- `tables`: tables as text.
- `validation`: checks of arguments, and the form of their messages.

Import a file by its name (`from keras_decay.ground import validation`); each loads on
first use, so that none brings in Keras, pandas or rich before it is needed.
"""

__all__ = [
    "backend",
    "files",
    "frames",
    "looks",
    "progress",
    "schema",
    "tables",
    "validation",
]
