"""Files and tables of other programs: understood, or named; nothing is dropped unsaid.

Oracle: the same numbers as a dict of lists with Keras' names.
"""

import warnings

import numpy as np
import pytest

from keras_decay.callbacks import LearningCurve
from keras_decay.curves import diagnose, plot_curves
from keras_decay.curves.data import columns, readers

TRAIN = [1.0, 0.6, 0.4, 0.3, 0.25, 0.2]
VAL = [1.1, 0.7, 0.55, 0.5, 0.48, 0.47]
PLAIN = [
    {"epoch": epoch, "loss": a, "val_loss": b}
    for epoch, (a, b) in enumerate(zip(TRAIN, VAL, strict=True))
]


@pytest.fixture
def file(tmp_path):
    """A function that writes a file and gives its path."""

    def file(text, name="run.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return path

    return file


def quietly(source):
    """The rows, and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return columns.as_rows(source)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("Epoch", "epoch"),
        ("  EPOCH #", "epoch"),
        ("\ufeffepoch", "epoch"),
        ("train_loss", "loss"),
        ("Train Loss", "loss"),
        ("train/loss", "loss"),
        ("training_loss", "loss"),
        ("trainLoss", "loss"),
        ("train_loss_epoch", "loss"),
        ("epoch_loss", "loss"),
        ("Loss", "loss"),
        ("loss (mse)", "loss"),
        ("val/loss", "val_loss"),
        ("Val Loss", "val_loss"),
        ("valid_loss", "val_loss"),
        ("validation-loss", "val_loss"),
        ("eval_loss", "val_loss"),
        ("loss_val", "val_loss"),
        ("val_data_loss", "val_data_loss"),
        ("train_acc", None),
        ("test_loss", None),
        ("train_loss_step", None),
        ("box_loss", None),
        ("time", None),
    ],
)
def test_the_table_of_names(name, ours):
    assert readers.canonical(name) == ours


@pytest.mark.needs("pandas")
@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("train_loss", "val_loss"),
        ("Train Loss", "Val Loss"),
        ("train/loss", "valid/loss"),
        ("training_loss", "eval_loss"),
    ],
)
def test_names_of_others_in_every_source(file, train, val):
    lists = {train: TRAIN, val: VAL}
    rows = [{train: a, val: b} for a, b in zip(TRAIN, VAL, strict=True)]
    lines = [f"{e},{a},{b}\n" for e, (a, b) in enumerate(zip(TRAIN, VAL, strict=True))]
    sources = [lists, rows, file(f"\ufeff  Epoch, {train}, {val}\n" + "".join(lines))]
    import pandas

    sources.append(pandas.DataFrame(lists))
    for source in sources:
        assert quietly(source) == PLAIN
        assert str(diagnose(source)) == str(diagnose(PLAIN))
    assert plot_curves({"run": lists}, metric=train).lines


def test_our_own_names_stay():
    """`train_loss` beside `loss` is the training loss evaluated again."""
    rows = [{"epoch": 0, "loss": 1.0, "train_loss": 2.0, "Val Loss": 3.0}]
    assert quietly(rows) == [
        {"epoch": 0, "loss": 1.0, "train_loss": 2.0, "val_loss": 3.0}
    ]
    ours = [{"epoch": 0, "data_loss": 1.0, "train_loss": 2.0}]
    assert quietly(ours) == ours


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"cost": TRAIN, "val_loss": VAL}, ["training loss", "'cost'", "'val_loss'"]),
        ({"loss": TRAIN, "check": VAL}, ["validation loss", "'check'"]),
        ({"loss": TRAIN, "val_loss": [None] * 6}, ["'val_loss' holds no number"]),
        ({}, ["no validation loss was recorded"]),
    ],
)
def test_what_is_not_understood_is_named(source, words):
    found = diagnose(source)
    assert found.verdict == "inconclusive"
    assert all(word in str(found) for word in words)


def alternating(first, then):
    return "epoch,step,loss,val_loss\n" + "".join(
        first.format(e=e, a=a, b=b) + then.format(e=e, a=a, b=b)
        for e, (a, b) in enumerate(zip(TRAIN, VAL, strict=True))
    )


@pytest.mark.needs("pandas")
@pytest.mark.parametrize(
    "lines", [("{e},1,{a},\n", "{e},2,,{b}\n"), ("{e},2,,{b}\n", "{e},1,{a},\n")]
)
def test_rows_of_one_epoch_are_one(file, lines):
    path = file(alternating(*lines))
    rows = [{k: v for k, v in row.items() if k != "step"} for row in quietly(path)]
    assert rows == PLAIN
    import pandas

    assert str(diagnose(pandas.read_csv(path))) == str(diagnose(PLAIN))


@pytest.mark.needs("pandas")
def test_epochs_that_diverged_are_not_gaps():
    import pandas

    frame = pandas.DataFrame({"loss": [1.0, np.nan], "val_loss": [1.0, np.nan]})
    assert diagnose(frame).verdict == "diverged"


def test_semicolons_and_decimal_commas(file):
    lines = [f"{row['epoch']};{row['loss']};{row['val_loss']}\n" for row in PLAIN]
    text = "epoch;loss;val_loss\n" + "".join(lines).replace(".", ",")
    assert quietly(file(text)) == PLAIN
    assert quietly(file(text, encoding="utf-16")) == PLAIN


def test_numbers_as_text_and_as_arrays():
    rows = [{"loss": "1.0", "val_loss": np.array(2.0)}, {"loss": " 0,5", "val_loss": 1}]
    assert quietly(rows) == [
        {"epoch": 0, "loss": 1.0, "val_loss": 2.0},
        {"epoch": 1, "loss": 0.5, "val_loss": 1},
    ]


HEADER = "epoch,loss,val_loss\n"
LINES = "".join(f"{e},{a},{b}\n" for e, a, b in (row.values() for row in PLAIN))


@pytest.mark.parametrize(
    ("text", "epochs", "runs"),
    [
        (HEADER + LINES + LINES[: LINES.index("3,")], 3, "two"),
        (HEADER + LINES + HEADER + LINES, 6, "two"),
        (HEADER + LINES + LINES + LINES, 6, "three"),
        ("loss,val_loss\n1,2\n1,2\nloss,val_loss\n3,4\n", 1, "two"),
    ],
)
def test_the_last_of_several_runs_is_judged_and_told(file, text, epochs, runs):
    path = file(text)
    found = diagnose(path)
    assert found.n_epochs == epochs
    assert str(found).endswith(f"(the last of {runs} runs in the file)")
    for reads in (columns.as_rows, LearningCurve.load):
        with pytest.warns(UserWarning, match=f"the last of {runs} runs"):
            reads(path)


def test_runs_in_rows_and_in_json_lines(file):
    rows = PLAIN + PLAIN[:3]
    assert diagnose(rows).n_epochs == 3
    assert "two runs" in str(diagnose(rows))
    lines = "".join(f'{{"epoch": {row["epoch"]}, "loss": 1}}\n' for row in rows)
    assert "two runs in the file" in str(diagnose(file(lines, "run.jsonl")))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER + LINES + "6,0.1\n7,0.1,0.2\n", r"unreadable .* \(line 8\)"),
        (HEADER + LINES + "6,0.1,0.2,0.3\n", r"unreadable .* \(line 8\)"),
        (HEADER + LINES + "6,oops,0.2\n", r"no number .* \(line 8\).*no training loss"),
        (HEADER + LINES + ",0.1,0.2\n", r"without an epoch .* \(line 8\)"),
        (HEADER + LINES + "6,,\n", r"no training loss \(line 8\)"),
        (HEADER + LINES + "5,0.1,0.2\n", r"replaced .* \(line 7\)"),
    ],
)
def test_nothing_is_left_out_unsaid(file, text, told):
    with pytest.warns(UserWarning, match=told):
        diagnose(file(text))


def test_lists_that_do_not_fit_are_told():
    """Keras' own lists of validation fit: they are as long, or k times as short."""
    assert quietly({"loss": TRAIN, "val_loss": VAL[:3]})[1]["val_loss"] == VAL[0]
    with pytest.warns(UserWarning, match="'val_loss' has 4 values for 6 epochs"):
        diagnose({"loss": TRAIN, "val_loss": VAL[:4]})
    for bad in (0.5, "0.5", None):
        with pytest.raises(TypeError, match=r"source\['loss'\]` must be"):
            diagnose({"loss": bad})


def test_losses_that_are_not_finite_are_told():
    gap = [1.0, np.nan, *TRAIN[2:]]
    told = str(diagnose({"loss": gap, "val_loss": VAL}))
    assert told.endswith("; 1 loss that is not finite is left out")
    told = str(diagnose({"loss": gap, "val_loss": gap}))
    assert told.endswith("; 2 losses that are not finite are left out")
    assert "finite" not in str(diagnose(PLAIN))


@pytest.mark.parametrize("before", ["# a comment\n", "sep=,\n", "\n  \n"])
def test_lines_before_the_header(file, before):
    assert quietly(file(before + HEADER + LINES)) == PLAIN
    with pytest.warns(UserWarning, match=r"torn last line .* \(line (9|10)\)"):
        diagnose(file(before + HEADER + LINES + "6,0.1"))


def test_a_path_from_home(file, tmp_path, monkeypatch):
    file(HEADER + LINES)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert quietly("~/run.csv") == PLAIN
    assert LearningCurve.load("~/run.csv").rows == PLAIN
    curve = LearningCurve("~/new.jsonl", figure="~/new.png", tensorboard=None)
    assert curve.path == tmp_path / "new.jsonl"
    curve.rows = PLAIN
    curve.to_csv("~/new.csv")
    assert quietly(tmp_path / "new.csv") == PLAIN
