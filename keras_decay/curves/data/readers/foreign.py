"""Files that hold no curve that can be read, and what to do with each kind."""

from keras_decay.curves.data.readers import found

# The first bytes, what they are, and what to do.
_KINDS = (
    (b"\x89HDF", "HDF5", "Such a file holds weights or a model, rarely a history. If "
     "it does, hand over a dict of lists: {'loss': list(file['loss']), …}."),
    (b"PAR1", "Parquet", "Hand over pandas.read_parquet(path)."),
    (b"ARROW1", "Feather", "Hand over pandas.read_feather(path)."),
    (b"\x93NUMPY", "a NumPy array", "Hand over a dict of lists: "
     "{'loss': array[:, 0].tolist(), 'val_loss': array[:, 1].tolist()}."),
    (b"\x1f\x8b", "compressed by gzip", "Decompress it first: gunzip FILE."),
    (b"BZh", "compressed by bzip2", "Decompress it first: bunzip2 FILE."),
    (b"\xfd7zXZ", "compressed by xz", "Decompress it first: unxz FILE."),
    (b"(\xb5/\xfd", "compressed by zstd", "Decompress it first: unzstd FILE."),
    (b":W&B", "W&B's own log", "Save run.history().to_csv(path), or export the chart "
     "of the loss as CSV."),
    (b"\x89PNG", "a picture", "Read the log that it was drawn from."),
    (b"\xff\xd8\xff", "a picture", "Read the log that it was drawn from."),
    (b"%PDF", "a PDF", "Read the log that it was drawn from."),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", "Save its sheet as CSV."),
)  # fmt: skip
_ZIPS = {
    ".xlsx": ("an Excel workbook", "Save its sheet as CSV, or hand over "
              "pandas.read_excel(path)."),
    ".npz": ("a NumPy archive", "Hand over a dict of lists: {name: array.tolist() for "
             "name, array in numpy.load(path).items()}."),
    ".keras": ("a Keras model, which holds no history", "Read the log of CSVLogger or "
               "LearningCurve, or history.history."),
}  # fmt: skip
_TORCH = (".pt", ".pth", ".ckpt")
_MARKUP = (b"<", b"\xef\xbb\xbf<")


def refuse(path, name, content):
    """Raise a `ValueError` for a file of a kind that is known and not read."""
    for start, kind, remedy in _KINDS:
        if content.startswith(start):
            raise found.no_curve(name, f"it is {kind}", remedy)
    if content.startswith(b"PK\x03\x04"):
        suffix = path.suffix.lower()
        if suffix in _TORCH:
            kind, remedy = (
                "a checkpoint of PyTorch",
                ("Hand over the history that it holds, as a dict of lists."),
            )
        else:
            kind, remedy = _ZIPS.get(suffix, ("an archive", "Unpack it first."))
        raise found.no_curve(name, f"it is {kind}", remedy)
    if content.lstrip()[:3].startswith(_MARKUP):
        remedy = "Export the numbers as CSV or JSON."
        raise found.no_curve(name, "it is HTML or XML", remedy)


def looks_binary(content):
    """Whether this is no text, by its control characters."""
    head = content[:4096].replace(b"\0", b"")
    control = sum(byte < 9 or 13 < byte < 32 for byte in head)
    return control > len(head) / 10
