"""A curve's rows as a table, a picture and a verdict; while it grows, too."""

from pathlib import Path
from typing import Any

from keras_decay.curves.data import table
from keras_decay.curves.data.columns import as_rows
from keras_decay.curves.draw import drawing
from keras_decay.curves.verdict import diagnosis


class Recording:
    """The rows of a curve as a table, a picture and a verdict.

    Attributes:
        rows: The rows, a list of dicts.
    """

    rows: list

    @classmethod
    def load(cls: Any, path):
        """A curve with the rows of a file, to be drawn or diagnosed.

        Args:
            path: Path of a file that `keras_decay.diagnose` reads. Of several trainings
                in it the last is taken, with a warning.

        Returns:
            A `LearningCurve`. As a callback it goes on with a file of `LearningCurve`,
            and refuses another's.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is no learning curve; the message names the line.

        Example:

        ```python
        kd.LearningCurve.load("run.jsonl").plot().figure.savefig("run.png")
        ```
        """
        curve = cls(path)
        # A training that was killed in its first epoch leaves an empty file.
        file = Path(path).expanduser()
        is_empty = file.is_file() and not file.stat().st_size
        curve.rows = [] if is_empty else as_rows(file, "path")
        return curve

    def to_dataframe(self):
        """The rows as a pandas data frame, one column per key.

        What a row has by layer or weight is a column for each, `norms/dense/kernel`;
        `batches` are left out.

        Returns:
            A `pandas.DataFrame`.

        Raises:
            ImportError: If pandas is not installed.
        """
        return table.dataframe(self.rows)

    def to_csv(self, path):
        """Write the rows as comma-separated values, with the columns of the data frame.

        Every line has a cell for every column; it is empty where a row has no value.

        Args:
            path: Path of the file. It is written at once: a reader never sees half.

        Example:

        ```python
        kd.LearningCurve.load("run.jsonl").to_csv("run.csv")
        ```
        """
        table.write_csv(self.rows, path)

    def plot(self, ax=None, metric="loss", smooth=0, log=False):
        """Draw the curve: training, validation, the best epoch and the verdict.

        Training values are averages over their epoch, validation is measured at its
        end; so training is drawn half an epoch earlier.

        Args:
            ax: matplotlib Axes to draw on, or None for a new figure (`ax.figure`),
                made without pyplot.
            metric: Name of a column, drawn with its `val_` partner. "loss" is the loss
                without penalty if that was recorded.
            smooth: Length in epochs of a centred moving average, drawn over the faint
                raw line; 0 for none.
            log: Whether the vertical axis is logarithmic.

        Returns:
            The matplotlib Axes.

        Raises:
            ValueError: If the curve is empty or there is no such metric.

        Example:

        ```python
        curve.plot(smooth=5).figure.savefig("run.png")
        ```
        """
        return drawing.draw(self.rows, ax, metric, smooth, log)

    def diagnose(self):
        """The verdict on the curve; see `keras_decay.diagnose`.

        Returns:
            A `Diagnosis`.
        """
        return diagnosis.diagnose(self.rows)
