"""A file of each program is read as the numbers that were logged.

Oracle: the losses that were given to the program. Files in `tests/curves/files` were
written by the programs themselves: Lightning 2.6, transformers 5.24, MLflow 3.17 and
PyTorch's SummaryWriter. The others follow the programs' sources, and say so.
"""

import json
import pickle
import sqlite3
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_decay.curves import diagnose, read_curves

FILES = Path(__file__).parents[2] / "files"
TRAIN = [1.0, 0.6, 0.4, 0.3, 0.25, 0.2]
VAL = [1.1, 0.7, 0.55, 0.5, 0.48, 0.47]
PLAIN = {"loss": TRAIN, "val_loss": VAL}
LINES = list(enumerate(zip(TRAIN, VAL, strict=True)))


def quietly(source, **names):
    """The runs, and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return read_curves(source, **names)


def check(source, epochs=range(6), train=TRAIN, val=VAL, runs=1):
    """The last run holds these losses; it is given."""
    found = quietly(source)
    assert len(found) == runs
    rows = found[-1]
    assert [row["epoch"] for row in rows] == list(epochs)
    assert [row["loss"] for row in rows] == pytest.approx(train, rel=1e-5)
    assert [row["val_loss"] for row in rows] == pytest.approx(val, rel=1e-5)
    return rows


@pytest.fixture
def file(tmp_path):
    """A function that writes a file and gives its path."""

    def file(text, name="log.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return file


def of_lines(form, start=0):
    return "".join(form.format(e=e + start, a=a, b=b) for e, (a, b) in LINES)


@pytest.mark.parametrize("kind", ["both", "epoch"])
def test_lightning(kind):
    """Training by epoch, and by step and epoch with a LearningRateMonitor."""
    rows = check(FILES / f"lightning_{kind}.csv")
    assert rows[1]["acc"] == pytest.approx(0.4)
    assert rows[1]["val_acc"] == pytest.approx(0.3)
    if kind == "both":
        assert rows[0]["learning_rate"] == 0.1


def test_lightning_by_step():
    """The second and fourth batch of each epoch are logged, with a loss 0.01 higher."""
    rows = check(FILES / "lightning_step.csv", train=[loss + 0.01 for loss in TRAIN])
    assert rows.notes == ["training losses of one epoch, logged by step, are averaged"]


def test_several_validations_in_an_epoch(file):
    """Lightning's val_check_interval: oracle, the means between the validations."""
    text = "epoch,step,train_loss,val_loss\n0,1,4,\n0,2,2,\n0,2,,5\n0,3,1,\n0,4,,3\n"
    rows = quietly(file(text + "1,5,1,\n1,6,,2\n"))[-1]
    assert [(r["epoch"], r["loss"], r["val_loss"]) for r in rows] == [
        (0, 3, 5),
        (0.5, 1, 3),
        (1, 1, 2),
    ]


@pytest.mark.parametrize("kind", ["epochs", "steps"])
def test_hugging_face(kind, tmp_path):
    """Oracle: the rows of evaluation, and the mean of the training losses before."""
    path = FILES / f"huggingface_{kind}.json"
    state = json.loads(path.read_text())
    epochs, train, val, waiting = [], [], [], []
    for row in state["log_history"]:
        if "loss" in row:
            waiting.append(row["loss"])
        elif "eval_loss" in row:
            epochs.append(row["epoch"]), val.append(row["eval_loss"])
            train.append(np.mean(waiting))
            waiting = []
    assert len(val) == (3 if kind == "epochs" else 6)
    last = check(path, epochs, train, val)[-1]
    assert not last.keys() & {"train_loss", "val_runtime"} and last["grad_norm"] > 0
    check(state, epochs, train, val)
    later = tmp_path / "checkpoint-10"
    for folder in (tmp_path / "checkpoint-9", later):
        folder.mkdir()
        (folder / "trainer_state.json").write_text('{"log_history": [{"loss": 1}]}')
    (later / "trainer_state.json").write_bytes(path.read_bytes())
    check(tmp_path, epochs, train, val)


@pytest.mark.needs("tensorboard")
@pytest.mark.parametrize("kind", ["summary_writer", "add_scalars"])
def test_tensorboard_of_pytorch(kind):
    check(FILES / kind)
    if kind == "summary_writer":
        (path,) = (FILES / kind).iterdir()
        assert check(path)[0]["learning_rate"] == pytest.approx(0.1)


@pytest.mark.needs("tensorboard", "tensorflow")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's")
@pytest.mark.slow
def test_tensorboard_of_keras(tmp_path):
    """Oracle: the History of the same training."""
    x = np.random.default_rng(0).normal(size=(30, 2))
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    callback = keras.callbacks.TensorBoard(tmp_path, update_freq=1)
    settings = {"epochs": 6, "validation_split": 0.5, "verbose": 0}
    lists = model.fit(x, x[:, :1], callbacks=[callback], **settings).history
    check(tmp_path, train=lists["loss"], val=lists["val_loss"])


@pytest.mark.needs("tensorboard")
def test_a_training_resumed_in_tensorboard(tmp_path):
    """A session that starts at epoch 3 makes void what was recorded from there on."""
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    for first, off in ((0, 1.0), (3, 0.0)):
        for folder, which in (("train", 0), ("validation", 1)):
            writer = EventFileWriter(
                str(tmp_path / folder), filename_suffix=f".{first}"
            )
            writer.add_event(event_pb2.Event(step=first, session_log=start))
            for epoch, losses in LINES[first : 5 if first else 6]:
                number = losses[which] + (off if epoch >= 3 else 0)
                value = summary_pb2.Summary.Value(tag="loss", simple_value=number)
                summary = summary_pb2.Summary(value=[value])
                writer.add_event(event_pb2.Event(step=epoch, summary=summary))
            writer.close()
    check(tmp_path, range(5), TRAIN[:5], VAL[:5])


def test_downloads_from_tensorboard(file, tmp_path):
    """Written down from TensorBoard's scalar dashboard: CSV and JSON, a tag each."""
    csv = "Wall time,Step,Value\n" + of_lines("17000.5,{e},{a}\n")
    one = file(csv, "run-train-tag-epoch_loss.csv")
    triples = json.dumps([[17000.5, e, b] for e, (_, b) in LINES])
    other = file(triples, "run-validation-tag-epoch_loss.json")
    check([one, other])
    check(tmp_path)
    assert [row["loss"] for row in quietly(one)[-1]] == TRAIN
    with pytest.raises(ValueError, match="Read other files one by one"):
        read_curves([one, file("epoch,loss\n0,1\n", "other.csv")])
    assert [row["val_loss"] for row in quietly(other)[-1]] == VAL


def test_mlflow():
    """The second run logged a loss that is 1 higher."""
    for folder in (FILES / "mlruns", FILES / "mlruns" / "0"):
        found = quietly(folder)
        assert len({run.name for run in found}) == 2
        check(folder, train=[x + 1 for x in TRAIN], val=[x + 1 for x in VAL], runs=2)
        assert [row["loss"] for row in found[0]] == TRAIN
    check(FILES / "mlruns" / "0" / found[0].name)


def test_the_database_of_mlflow(tmp_path):
    """The table as MLflow 3.17 creates it."""
    path = tmp_path / "mlflow.db"
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE metrics (key VARCHAR(250), value FLOAT, timestamp BIGINT, "
            "run_uuid VARCHAR(32), step BIGINT, is_nan BOOLEAN)"
        )
        for run in (0, 1):
            for e, (a, b) in LINES:
                for key, value in (("train_loss", a), ("val_loss", b)):
                    row = (key, value, 10 * run + e, f"run{run}", e, 0)
                    database.execute("INSERT INTO metrics VALUES (?,?,?,?,?,?)", row)
    database.close()
    assert check(path, runs=2).name == "run1"


def test_the_csv_of_mlflow(file):
    """Written down from MLflow's source: convertMetricsToCsv of MetricsPlotPanel."""
    text = "run_id,key,value,step,timestamp\n"
    text += of_lines("a1,train_loss,{a},{e},17000\n")
    text += of_lines("a1,val_loss,{b},{e},17000\n")
    check(file(text))
    check(file(text + text.replace("a1", "b2").split("\n", 1)[1]), runs=2)


def test_wandb(file):
    """Written down from exported charts: a column and two bounds for run and metric."""
    names = [f"calm-sun-1 - {name}" for name in ("train/loss", "val/loss")]
    header = '"Step",' + ",".join(f'"{n}","{n}__MIN","{n}__MAX"' for n in names)
    text = f"{header}\n" + of_lines('"{e}","{a}","{a}","{a}","{b}","{b}","{b}"\n')
    assert check(file(text)).name == "calm-sun-1"
    # run.history().to_csv(path)
    text = ",_step,_runtime,_timestamp,epoch,loss,val_loss\n"
    check(file(text + of_lines("{e},{e},1.5,17000.5,{e},{a},{b}\n")))


def test_ultralytics(file):
    """Written down from the source of `BaseTrainer.save_metrics`, and of YOLOv5."""
    header = "epoch,time,train/box_loss,train/cls_loss,metrics/mAP50(B),val/box_loss,"
    text = f"{header}val/cls_loss,lr/pg0\n"
    for e, (a, b) in LINES:
        text += f"{e + 1},{e}.5,{a / 4:.6g},{a * 3 / 4:.6g},0.5,{b / 2:.6g},"
        text += f"{b / 2:.6g},0.01\n"
    rows = check(file(text), range(1, 7))
    assert rows[0]["learning_rate"] == 0.01 and rows[0]["val_box_loss"] == 0.55
    assert "box_loss + cls_loss" in rows.notes[0]
    named = quietly(file(text), train="train/box_loss", validation="val/box_loss")
    assert named[-1][0]["loss"] == 0.25 and named[-1][0]["val_loss"] == 0.55
    header = "epoch,train/box_loss,train/obj_loss,val/box_loss,val/obj_loss,x/lr0"
    text = ",".join(f"{name:>20}" for name in header.split(",")) + "\n"
    for e, (a, b) in LINES:
        values = (e, a / 2, a / 2, b / 2, b / 2, 0.1)
        text += ",".join(f"{value:20.5g}" for value in values) + "\n"
    check(file(text))


def test_fastai(file):
    """Written down from the source of fastai's CSVLogger and Recorder."""
    text = "epoch,train_loss,valid_loss,accuracy,time\n"
    rows = check(file(text + of_lines("{e},{a},{b},0.5,00:0{e}\n")))
    assert rows[0]["val_accuracy"] == 0.5


def test_a_pickled_history(file):
    """NumPy's numbers, arrays and lists, in all protocols that are binary."""
    kinds = {
        "train_loss": np.array(TRAIN),
        "val_loss": [np.float64(value) for value in VAL],
        "lr": [np.float32(0.5)] * 6,
        "count": np.arange(6, dtype=">i2"),
    }
    for protocol in (2, 3, 4, 5):
        path = file(pickle.dumps(kinds, protocol), "history.pkl")
        rows = check(path)
        assert rows[5]["count"] == 5 and rows[5]["learning_rate"] == 0.5
    check(file(pickle.dumps({"history": PLAIN}), "history"))


@pytest.mark.parametrize(
    "value",
    [
        PLAIN,
        {"history": PLAIN, "epoch": list(range(6))},
        {"train": {"loss": TRAIN}, "val": {"loss": VAL}},
        {"train_losses": TRAIN, "val_losses": VAL},
        {"train": TRAIN, "validation": VAL},
        {"loss": dict(enumerate(TRAIN)), "val_loss": dict(enumerate(VAL))},
        {str(e): {"loss": a, "val_loss": b} for e, (a, b) in LINES},
        [{"Epoch": e, "trainLoss": a, "valLoss": b} for e, (a, b) in LINES],
        {"metrics": [{"epoch": e, "loss": a, "val_loss": b} for e, (a, b) in LINES]},
    ],
)
def test_shapes_of_json(file, value):
    check(file(json.dumps(value), "history.json"))
    check(file(json.dumps(value, indent=2), "history.json"))


@pytest.mark.parametrize(
    "text",
    [
        "epoch loss val_loss\n" + of_lines("{e} {a} {b}\n"),
        "Epoch;Train Loss;Valid Loss\n" + of_lines("{e};{a};{b}\n").replace(".", ","),
        "epoch,loss,val_loss\r" + of_lines("{e},{a},{b}\r"),
        "epoch,phase,loss\n" + of_lines("{e},train,{a}\n{e},val,{b}\n"),
        "epoch,loss,val_loss\n" + of_lines("{e}/6,{a},{b}\n"),
        "loss,val_loss\n" + of_lines("{a},{b}\n"),
        "epoch,loss,val_loss\n" + of_lines("{e},{a},\n") + of_lines("{e},,{b}\n"),
        "epoch,loss,val_loss,note\n" + of_lines('{e},{a},{b},"x, {e}"\n'),
        "step,train,test\n" + of_lines("{e},{a},{b}\n").replace("test", "val"),
    ],
    ids=range(9),
)
def test_shapes_of_tables(file, text):
    if "test" in text:
        with pytest.warns(UserWarning, match="the test data is taken for"):
            assert read_curves(file(text))[-1][2]["val_loss"] == VAL[2]
    else:
        check(file(text))


def test_rows_in_memory():
    rows = [{"train_loss": a, "valid_loss": b} for a, b in zip(TRAIN, VAL, strict=True)]
    check(rows)
    check(tuple(rows))
    check({"train/loss": np.array(TRAIN), "eval/loss": np.array(VAL)})


@pytest.mark.needs("pandas")
def test_frames():
    import pandas

    check(pandas.DataFrame({"Train Loss": TRAIN, "Val Loss": VAL}))
    state = json.loads((FILES / "huggingface_steps.json").read_text())
    rows = quietly(pandas.DataFrame(state["log_history"]))[-1]
    plain = quietly(FILES / "huggingface_steps.json")[-1]
    assert [row["val_loss"] for row in rows] == [row["val_loss"] for row in plain]


def test_names_that_are_given(file):
    path = file("epoch,loss,a,b\n" + of_lines("{e},9,{a},{b}\n"))
    rows = read_curves(path, train="a", validation="b")[-1]
    assert [row["loss"] for row in rows] == TRAIN
    assert [row["val_loss"] for row in rows] == VAL
    lists = {"a": TRAIN, "b": VAL, "data_loss": VAL}
    assert str(diagnose(read_curves(lists, train="a", validation="b")[0])) == str(
        diagnose(PLAIN)
    )
    with pytest.raises(
        ValueError, match=r"`train` must be a column .*'loss', 'a', 'b'"
    ):
        read_curves(path, train="c")
    with pytest.raises(TypeError, match="`validation` must be the name of a column"):
        read_curves(path, validation=3)
