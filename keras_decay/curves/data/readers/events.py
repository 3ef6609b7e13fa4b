"""TensorBoard's event files, and folders of them.

A file is a stranger's: its records are taken apart within its own length, and only
scalars are decoded, by TensorBoard's own message. TensorFlow is not needed.
"""

import re
import struct

import numpy as np

from keras_decay.curves.data.readers import found, longs
from keras_decay.curves.data.readers.found import Log, Told
from keras_decay.curves.data.readers.names import mark_of

_FILE = re.compile(r".*\.tfevents\..*")
_HEAD = b"brain.Event:"
# A record is its length, a checksum, the data, and a checksum.
_LENGTH, _CHECKSUM = struct.Struct("<Q"), 4
_LARGEST = 2**20
_KERAS, _BATCH = "epoch_", "batch_"
# SessionLog.START: what an earlier file holds of this step and later ones is void.
_START = 1
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
SKIPPED = "damaged records are left out"


def is_event_file(path, content):
    """Whether this is an event file, by what it says of itself or by its name."""
    return _HEAD in content[:64] or (
        _FILE.fullmatch(path.name) is not None and content[8:9] != b"{"
    )


def is_name(path):
    """Whether an event file would have such a name."""
    return _FILE.fullmatch(path.name) is not None


def log_of_file(path, content):
    """The `Log` of one file."""
    told = Told(repr(str(path)), "record")
    series: dict = {}
    _add(series, "", content, told)
    return _log([series], [""], told, "the file")


def log_of_folder(folder, paths):
    """The `Log` of a folder: a training for each folder of files.

    Folders that are named for training and validation belong to one training.

    Args:
        folder: Path of the folder.
        paths: Paths of the event files in it, at any depth.
    """
    told = Told(repr(str(folder)), "record")
    runs: dict = {}
    for path in sorted(paths, key=_in_order):
        mark, tag, parent = _place(path.parent, folder)
        series = runs.setdefault(parent, {})
        _add(series, mark, path.read_bytes(), told, tag)
    ordered = sorted(runs, key=lambda parent: (_latest(runs[parent]), str(parent)))
    names = [
        "" if parent == folder else parent.relative_to(folder).as_posix()
        for parent in ordered
    ]
    for series in runs.values():
        series.pop("", None)
    return _log([runs[parent] for parent in ordered], names, told, "the folder")


def _in_order(path):
    """Files of one folder by the numbers in their names: time, process, count."""
    numbers = [int(number) for number in re.findall(r"\d{1,18}", path.name)]
    return path.parent, numbers, path.name


def _place(folder, root):
    """The mark of a folder's values, its tag for `add_scalars`, and the run's folder.

    Keras writes to `train` and `validation`; PyTorch's `add_scalars("Loss", {"train":
    …})` to `Loss_train`, under the tag `Loss`.
    """
    if folder == root:
        return "", None, folder
    mark = mark_of(folder.name)
    if mark:
        return mark, None, folder.parent
    tag, _, word = folder.name.rpartition("_")
    mark = mark_of(word)
    return (mark, tag, folder.parent) if mark else ("", None, folder)


def _add(series, mark, content, told, tag=None):
    """Add the scalars of a file to those of its run: dict of step to value, by tag."""
    message = _message()
    place = start = 0
    while start + _LENGTH.size + _CHECKSUM <= len(content):
        place += 1
        (length,) = _LENGTH.unpack_from(content, start)
        begin = start + _LENGTH.size + _CHECKSUM
        start = begin + length + _CHECKSUM
        if start > len(content):
            break
        if length > _LARGEST:
            continue  # pictures and sound
        try:
            event = message.FromString(content[begin : begin + length])
        except Exception:
            told.add(SKIPPED, place)
            continue
        if event.HasField("session_log") and event.session_log.status == _START:
            _void(series, mark, event.step)
        if not event.HasField("summary"):
            continue
        series[""] = max(series.get("", 0), event.wall_time)
        for each in event.summary.value:
            if tag is None or each.tag == tag:
                number = _scalar(each)
                if number is not None:
                    name = _name(each.tag, mark)
                    series.setdefault(name, {})[event.step] = number
    if start < len(content) or start > len(content):
        told.add("the torn last record is left out")


def _void(series, mark, step):
    for name, values in series.items():
        if name and name.startswith(mark):
            for later in [at for at in values if at >= step]:
                del values[later]


def _scalar(value):
    """The number that a value of a summary holds, or None if it is no scalar."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return value.simple_value
    if kind != "tensor" or any(
        each.size != 1 for each in value.tensor.tensor_shape.dim
    ):
        return None
    tensor = value.tensor
    dtype = _DTYPES.get(tensor.dtype)
    if dtype is None:
        return None
    if len(tensor.tensor_content) == np.dtype(dtype).itemsize:
        return float(np.frombuffer(tensor.tensor_content, dtype)[0])
    for values in (
        tensor.float_val,
        tensor.double_val,
        tensor.int_val,
        tensor.int64_val,
    ):
        if len(values) == 1:
            return float(values[0])
    return None


def _name(tag, mark):
    """The name of a tag: `train/loss` for Keras' `epoch_loss` in a folder `train`."""
    if not mark:
        return tag
    return f"{mark}{tag.removeprefix(_KERAS)}"


def _log(runs, names, told, where):
    parts = [
        longs.table(
            {
                tag: values.items()
                for tag, values in series.items()
                # Single batches, against steps of their own.
                if tag and _BATCH not in tag and not tag.endswith("_vs_iterations")
            }
        )
        for series in runs
    ]
    if not any(parts):
        remedy = "Is it a folder of a profile, or has the training logged nothing yet?"
        raise found.no_curve(told.name, "its event files hold no scalars", remedy)
    return Log(parts, told, where, by_step=True, names=names)


def _latest(series):
    return series.get("", 0)


def _message():
    try:
        from tensorboard.compat.proto import event_pb2
    except ImportError as error:
        raise ImportError(
            "Event files of TensorBoard are read by the package tensorboard, which is "
            "not installed: pip install 'keras-decay[tensorboard]'. Or download the "
            "scalars from TensorBoard as CSV and read that."
        ) from error
    return event_pb2.Event
