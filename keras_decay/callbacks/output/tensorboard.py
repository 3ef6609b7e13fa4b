"""A curve as TensorBoard's scalars, by TensorBoard's own writer and no TensorFlow."""

import time
import warnings

from keras_decay.ground import files, schema, validation

FOLDERS = {schema.VALIDATION: "validation", schema.REEVALUATED: "reevaluated"}
TRAINING = "train"


class TensorBoard:
    """Writes the numbers of every row to a folder, with the epoch as the step.

    Training, validation and what was evaluated again go to folders of their own, under
    the same names, as Keras' callback does it, so that TensorBoard draws them together.

    Args:
        folder: Path of a folder, or None for nothing to be written.
    """

    def __init__(self, folder):
        self._folder = None
        if folder is not None:
            must = "the path of a folder or None"
            self._folder = validation.path("tensorboard", folder, must)
        self._writers = {}
        self._first = None
        if folder is not None:
            _modules()

    def check(self):
        """Refuse a folder that cannot be written, before training."""
        if self._folder is not None:
            files.check_writable("tensorboard", self._folder / TRAINING / "events")

    def start(self, epoch):
        """Training begins at this epoch; earlier values from it on are dropped."""
        self.stop()
        self._first = epoch

    def write(self, row):
        """Write a row, and make sure that it can be read."""
        if self._folder is None:
            return
        try:
            for folder, scalars in scalars_of(row).items():
                writer = self._writer(folder)
                writer.add_event(_event(row["epoch"], scalars))
                writer.flush()
        except Exception as error:
            # As with a figure: it is not worth a training run.
            warnings.warn(
                f"TensorBoard's files could not be written: {error!r}. The rows are "
                "safe.",
                stacklevel=2,
            )

    def stop(self):
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _writer(self, folder):
        if folder not in self._writers:
            _, _, event_files = _modules()
            writer = event_files.EventFileWriter(str(self._folder / folder))
            writer.add_event(_restart(self._first))
            self._writers[folder] = writer
        return self._writers[folder]


def scalars_of(row):
    """The numbers of a row by folder and name; what is nested gets a `/`."""
    found: dict[str, dict[str, float]] = {}
    for key, value in row.items():
        folder, name = TRAINING, key
        for prefix, other in FOLDERS.items():
            if key.startswith(prefix):
                folder, name = other, key.removeprefix(prefix)
        if key in schema.PLACES:  # TensorBoard has them as the step
            continue
        parts = value if isinstance(value, dict) else {None: value}
        for part, number in parts.items():
            if validation.is_number(number):
                tag = name if part is None else f"{name}/{part}"
                found.setdefault(folder, {})[tag] = float(number)
    return found


def _event(step, scalars):
    events, summaries, _ = _modules()
    values = [
        summaries.Summary.Value(tag=tag, simple_value=value)
        for tag, value in scalars.items()
    ]
    summary = summaries.Summary(value=values)
    return events.Event(wall_time=time.time(), step=step, summary=summary)


def _restart(step):
    """The event by which TensorBoard drops earlier values from `step` on."""
    events, _, _ = _modules()
    log = events.SessionLog(status=events.SessionLog.START)
    return events.Event(wall_time=time.time(), step=step, session_log=log)


def _modules():
    """What is used of the package tensorboard, imported only here."""
    try:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer import event_file_writer
    except ImportError as error:
        raise ImportError(
            "`tensorboard` needs the package tensorboard, which is not installed: "
            "install it with  pip install tensorboard"
        ) from error
    return event_pb2, summary_pb2, event_file_writer
