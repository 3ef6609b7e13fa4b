"""`keras-decay plot`: learning curves from files in one figure.

It starts without Keras.
"""

import argparse
import re
from pathlib import Path

from keras_decay.cli import logs
from keras_decay.cli._errors import Failure, UsageError
from keras_decay.cli._options import whole_number

FORMATS = (".png", ".svg", ".pdf")


def figure_path(text):
    """A type for argparse: a path with the extension of a figure."""
    path = Path(text).expanduser()
    if path.suffix.lower() not in FORMATS or not path.stem.strip():
        raise argparse.ArgumentTypeError(
            f"must be a path that ends in one of {', '.join(FORMATS)}. "
            f"Received: {text!r}"
        )
    return path


def add_options(parser):
    parser.set_defaults(needs_keras=False)
    parser.description = (
        "Learning curves from files in one figure, as wide as the column of a paper, "
        "and a verdict on each. The files are those of LearningCurve, also of "
        "trainings that still run or have crashed, of Keras' CSVLogger, and the logs "
        "of other programs: keras-decay diagnose --help lists them. Of several "
        "trainings in one file the last is drawn."
    )
    parser.add_argument(
        "curves",
        nargs="+",
        metavar="[NAME=]CURVE",
        help="a file; the name is the file's unless given, and files of one name, as "
        "of several seeds, make a mean in a band",
    )
    parser.add_argument(
        "-o",
        "--out",
        dest="figures",
        action="append",
        type=figure_path,
        default=argparse.SUPPRESS,
        metavar="FIGURE",
        help="where to draw it: .png, .svg or .pdf; may be given several times; by "
        "default a .png here with the name of the first file",
    )
    parser.add_argument(
        "--metric",
        default="loss",
        help="what to draw; loss is the loss without penalty where it was recorded",
    )
    parser.add_argument(
        "--smooth",
        type=whole_number(0),
        default=0,
        metavar="N",
        help="length in epochs of a moving average",
    )
    logs.add_options(parser)
    parser.add_argument("--log", action="store_true", help="a logarithmic axis")
    parser.add_argument(
        "--force", action="store_true", help="replace figures that exist"
    )


def run(options, check):
    from keras_decay.curves import plot_curves
    from keras_decay.curves.draw import drawing, figure
    from keras_decay.curves.verdict import diagnosis

    curves = named(options.curves)
    figures = vars(options).get("figures") or [Path(f"{curves[0][1].stem}.png")]
    refuse_existing(figures, options.force)
    groups: dict[str, list] = {}
    sentences = []
    for name, path in curves:
        rows = logs.run_of(path, options, "plot")
        groups.setdefault(name, []).append(rows)
        sentences.append((path, drawing.sentence_of(diagnosis.diagnose(rows))))
        check()
    try:
        # A dollar sign in the name of a file is no formula.
        ax = plot_curves(
            {name.replace("$", r"\$"): group for name, group in groups.items()},
            metric=options.metric,
            smooth=options.smooth,
            log=options.log,
        )
    except (TypeError, ValueError) as error:
        raise UsageError(in_options(error)) from error
    for path in figures:
        check()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.save(ax.figure, path)
        except OSError as error:
            reason = error.strerror or error
            raise Failure(f"cannot write to {str(path)!r}: {reason}") from error
    for path, sentence in sentences:
        print(f"{path}: {sentence}")
    print(f"\nDrawn: {', '.join(map(str, figures))}")
    return 0


def refuse_existing(figures, force):
    """A usage error if a figure would replace something that it must not."""
    for index, path in enumerate(figures):
        if path in figures[:index]:
            raise UsageError(f"argument -o/--out: {str(path)!r} is given twice")
        if path.is_dir():
            raise UsageError(f"argument -o/--out: {str(path)!r} is a folder")
        if path.exists() and not force:
            raise UsageError(
                f"argument -o/--out: {str(path)!r} exists: give another name, or "
                "replace it with --force"
            )


def named(arguments):
    """Pairs of the name and the path of each curve.

    Files without a name are called by their own, with so much of their folders as it
    takes to tell them apart.
    """
    pairs = []
    for text in arguments:
        name, equals, rest = text.partition("=")
        if equals and not Path(text).exists():
            if not name.strip() or not rest:
                raise UsageError(
                    f"argument CURVE: must be a file or NAME=FILE. Received: {text!r}"
                )
            pairs.append((name.strip(), Path(rest).expanduser()))
        else:
            pairs.append((None, Path(text).expanduser()))
    unnamed = [path for name, path in pairs if name is None]
    if len(set(unnamed)) < len(unnamed):
        twice = next(path for path in unnamed if unnamed.count(path) > 1)
        raise UsageError(f"argument CURVE: {str(twice)!r} is given twice")
    depth = 1
    deepest = max((len(path.parts) for path in unnamed), default=1)
    while depth < deepest and len({short(p, depth) for p in unnamed}) < len(unnamed):
        depth += 1
    if len({short(path, depth) for path in unnamed}) < len(unnamed):
        return [(name or str(path), path) for name, path in pairs]  # a.csv, a.jsonl
    return [(name or short(path, depth), path) for name, path in pairs]


def short(path, depth):
    """The last parts of a path, without its extension."""
    return "/".join((*path.parts[:-1], path.stem or ".")[-depth:])


def in_options(error):
    """The message of an error of `plot_curves`, in terms of the command line."""
    text = re.sub(r"^`(\w+)` must", r"argument --\1: must", str(error))
    return re.sub(r"Received: \w+=", "Received: ", text)
