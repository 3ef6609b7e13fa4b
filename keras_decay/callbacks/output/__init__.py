"""Where a curve goes while it is recorded: its file, figures, displays, TensorBoard.

- `curve_file`: the file of rows.
- `outputs`: figure files and the live display.
- `tensorboard`: TensorBoard's files.
"""

__all__ = ["curve_file", "outputs", "tensorboard"]
