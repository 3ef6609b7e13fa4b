"""The command line: what it refuses, what it writes, and what it leaves alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import pytest
from support import once, slow

import keras_decay
from keras_decay import cli
from keras_decay.experiments import _arms, _output

ROOT = Path(keras_decay.__file__).resolve().parent.parent
SEARCHED = [str(ROOT)]
if keras.backend.backend() != "tensorflow":
    SEARCHED.append(str(Path(__file__).parent / "without_tensorflow"))
SHORT = ("diabetes", "--epochs", "2", "--arms", "none,adamw", "--out", "results")
FILES = {
    "diabetes.png",
    "diabetes.svg",
    "results.json",
    "curve-none.jsonl",
    "curve-adamw.jsonl",
}


def start(folder, *arguments, **environment):
    """`python -m keras_decay` in `folder`, as a new process."""
    return subprocess.Popen(
        [sys.executable, "-m", "keras_decay", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(SEARCHED), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """The exit code of the process, and what it wrote."""
    out, err = process.communicate(timeout=300)
    assert "Traceback" not in err, err
    return process.returncode, out, err


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder in which a short run has ended, and what that wrote."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, finish(start(folder, *SHORT))


@pytest.fixture
def previous(tmp_path):
    """A folder with the marked results of an earlier run, and a file of the user's."""
    results = tmp_path / "results"
    results.mkdir()
    for name in [*FILES, "curve-dropout.jsonl", "thesis.txt", "curve-mine.jsonl"]:
        (results / name).write_text(name)
    files = [*FILES, "curve-dropout.jsonl", "../results/thesis.txt"]
    (results / "results.json").write_text(json.dumps({"files": files}))
    return results


def contents(folder):
    """The files in `folder` and what they hold."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def error_of(arguments, capsys):
    """The sentence with which the command line refuses `arguments`."""
    with pytest.raises(SystemExit) as caught:
        cli.main([str(argument) for argument in arguments])
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    usage, _, sentence = captured.err.partition("error: ")
    assert usage.startswith("usage: keras-decay")
    assert sentence.count("\n") == 1
    assert "Traceback" not in captured.err
    return sentence


@pytest.mark.parametrize(
    ("arguments", "words"),
    (
        (["--arms", "none,l3"], ["--arms", "'l3'", "l2-article"]),
        (["--arms", "none,l2,none"], ["--arms", "'none'", "once"]),
        (["--arms", ""], ["--arms", "''"]),
        (["--arms", "none,,l2"], ["--arms", "''"]),
        (["--arms"], ["--arms", "expected one argument"]),
        (["--seeds", "0"], ["--seeds", "'0'", "at least 1"]),
        (["--seeds", "-3"], ["--seeds", "'-3'", "at least 1"]),
        (["--seeds", "many"], ["--seeds", "'many'", "whole number"]),
        (["--seeds", "2.5"], ["--seeds", "'2.5'", "whole number"]),
        (["--seeds", "100000"], ["--seeds", "'100000'", "1000"]),
        (["--seed", "-1"], ["--seed", "'-1'", "at least 0"]),
        (["--seed", "4294967296"], ["--seed", "4294967296", "at most"]),
        (["--epochs", "0"], ["--epochs", "'0'", "at least 1"]),
        (["--epochs", "nan"], ["--epochs", "'nan'", "whole number"]),
        (["--epochs", "1e3"], ["--epochs", "'1e3'", "whole number"]),
        (["--device", "tpu"], ["--device", "'tpu'", "cpu"]),
        (["--tune", "--arms", "none"], ["--tune", "l2", "--arms"]),
        (["--arms", "all,none"], ["--arms", "'all'", "early-stop"]),
        (["--quick", "--epochs", "50"], ["--epochs", "not allowed", "--quick"]),
        (["--epochs", "100", "--quick"], ["--quick", "not allowed", "--epochs"]),
        (["--out", ""], ["--out", "''", "folder"]),
        (["--epoch", "3"], ["--epoch"]),
        (["surplus"], ["surplus"]),
    ),
)
def test_bad_arguments(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sentence = error_of(["diabetes", *arguments], capsys)
    for word in words:
        assert word in sentence
    assert list(tmp_path.iterdir()) == []


def test_unknown_command(capsys):
    assert "'diabetis'" in error_of(["diabetis"], capsys)


def test_gpu_that_is_not_there(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(keras_decay.ground.backend.current(), "gpus", list)
    out = tmp_path / "out"
    sentence = error_of(["diabetes", "--device", "gpu", "--out", out], capsys)
    for word in ("--device", "'gpu'", keras.backend.backend(), "no GPU"):
        assert word in sentence
    assert not out.exists()


@pytest.mark.parametrize("below", ("", "below", "far/below"))
def test_out_that_is_a_file_or_below_one(below, capsys, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    out = file / below if below else file
    sentence = error_of(["diabetes", "--out", out], capsys)
    assert "--out" in sentence
    assert str(out) in sentence
    assert file.read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
def test_out_that_cannot_be_made(capsys):
    assert "/proc/results" in error_of(["diabetes", "--out", "/proc/results"], capsys)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_out_that_may_not_be_written_to(capsys, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    out = tmp_path / "locked" / "results"
    assert str(out) in error_of(["diabetes", "--out", out], capsys)


def test_run_ends_with_table_and_files(finished):
    folder, (code, out, _) = finished
    assert code == 0
    assert set(contents(folder / "results")) == FILES
    assert max(len(line) for line in out.splitlines() if "─" in line) <= 80
    for word in ("none", "adamw", "ridge-cv", "mean", "verdict", "inconclusive"):
        assert word in out
    assert "results/" in out


def test_results_agree_with_curves_and_table(finished):
    folder, (_, out, _) = finished
    results = json.loads((folder / "results" / "results.json").read_text())
    assert results["backend"] == keras.backend.backend()
    assert results["arguments"]["epochs"] == 2
    assert set(results["files"]) == FILES
    for arm in results["arms"]:
        (fit,) = arm["fits"]
        curve = keras_decay.LearningCurve.load(folder / "results" / fit["curve"])
        assert len(curve.rows) == 2
        # 1e-5: float32 sums in another order.
        assert fit["validation_loss"] == pytest.approx(
            curve.rows[-1]["val_data_loss"], rel=1e-5
        )
        assert str(curve.diagnose()) == fit["sentence"]
        (line,) = [
            line for line in out.splitlines() if line.split()[:1] == [arm["name"]]
        ]
        assert f"{fit['gap']:.3f}" in line
        assert f"{fit['test_loss']:.3f}" in line


@once
def test_smaller_scale_and_all_arms(tmp_path, monkeypatch, capsys):
    """What `--quick`, `--arms all` and `--tune` ask for; nothing is trained."""
    asked = []

    def tune(**how):
        asked.append(("tune", how["epochs"]))

    def run(arms, **how):
        asked.append((arms, how["seeds"], how["epochs"]))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("keras_decay.experiments.diabetes.tune", tune)
    monkeypatch.setattr("keras_decay.experiments.diabetes.run", run)
    monkeypatch.chdir(tmp_path)
    every = list(_arms.ARMS)
    some = ["none", "l2-article", "l2", "adamw"]
    for options, expected in (
        ("", [(some, 1, 100)]),
        ("--quick", [(["none", "l2"], 1, 20)]),
        ("--quick --arms dropout --seeds 2", [(["dropout"], 2, 20)]),
        ("--quick --tune", [("tune", 20), (["none", "l2"], 1, 20)]),
        ("--arms all --seeds 3", [("tune", 100), (every, 3, 100)]),
        ("--arms tuned --epochs 7", [("tune", 7), (["tuned"], 1, 7)]),
    ):
        assert cli.main(["diabetes", *options.split()]) == 1
        assert asked == expected
        asked.clear()
    capsys.readouterr()
    assert list(tmp_path.iterdir()) == []


def test_second_run_is_refused(finished, capsys, monkeypatch):
    folder = finished[0]
    monkeypatch.chdir(folder)
    before = contents(folder / "results")
    sentence = error_of(SHORT, capsys)
    for word in ("--out", "'results'", "--force"):
        assert word in sentence
    # Other arms would overwrite the figure all the same.
    assert "diabetes.png" in error_of([*SHORT, "--arms", "l2"], capsys)
    assert contents(folder / "results") == before


@pytest.mark.slow
@once
def test_force_replaces_the_run_and_nothing_else(previous, monkeypatch):
    monkeypatch.chdir(previous.parent)
    assert cli.main([*SHORT, "--force", "--epochs", "1"]) == 0
    after = contents(previous)
    assert set(after) == FILES | {"thesis.txt", "curve-mine.jsonl"}
    assert after["thesis.txt"] == b"thesis.txt"
    assert after["diabetes.png"].startswith(b"\x89PNG")


@once
@pytest.mark.parametrize("name", map(slow, ("SIGINT", "SIGTERM", "SIGKILL")))
def test_killed_run_leaves_old_results(previous, name):
    if signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
        pytest.skip(f"this process ignores {name}, and so would its children")
    before = contents(previous)
    options = ("--out", "results", "--epochs", "100000", "--force")
    process = start(previous.parent, "diabetes", *options)
    for line in process.stderr:
        if "fit 1 of" in line:
            break
    time.sleep(1)
    process.send_signal(getattr(signal, name))
    code, out, err = finish(process)
    assert out == ""
    if name == "SIGKILL":
        # Nobody was left to clean up; the results are as they were.
        after = {path.name for path in previous.iterdir() if path.is_file()}
        assert after == set(before)
        return
    assert code == 130
    assert "interrupted" in err.splitlines()[-1]
    assert contents(previous) == before


@pytest.mark.slow
@once
def test_failed_run_leaves_old_results(previous, monkeypatch, capsys):
    before = contents(previous)
    monkeypatch.chdir(previous.parent)

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("keras_decay.experiments._report.save", full)
    assert cli.main([*SHORT, "--force", "--epochs", "1"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert contents(previous) == before


def test_failed_first_run_leaves_nothing(tmp_path):
    out = tmp_path / "new" / "results"
    with pytest.raises(RuntimeError), _output.publishing(out, ["a", "results.json"]):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_results_that_appear_meanwhile_are_kept(tmp_path):
    with (
        pytest.raises(_output.OutputError, match="--force"),
        _output.publishing(tmp_path, ["results.json"]) as staging,
    ):
        (staging / "results.json").write_text("mine")
        (tmp_path / "results.json").write_text("theirs")
    assert contents(tmp_path) == {"results.json": b"theirs"}


def test_folder_in_the_way_of_a_file(tmp_path):
    (tmp_path / "results.json").mkdir()
    with (
        pytest.raises(_output.OutputError, match="in the way"),
        _output.publishing(tmp_path, ["results.json"], force=True),
    ):
        pass


def test_convert_prints_the_number_and_needs_no_keras(tmp_path):
    """Keras cannot be imported here, for there is no such backend."""
    options = ("--from", "torch_adamw", "--to", "l2", "--optimizer", "sgd")
    done = finish(start(tmp_path, "convert", "0.01", *options, KERAS_BACKEND="abacus"))
    assert done == (0, "0.005\n", "")


def test_convert_prints_every_digit(capsys):
    options = ("--from", "ridge_alpha", "--to", "l2", "--n-samples", "442")
    assert cli.main(["convert", "1", *options]) == 0
    assert float(capsys.readouterr().out) == 1 / 442


def test_convert_without_a_target_is_a_table(capsys):
    arguments = ["convert", "0.01", "--from", "adamw", "--learning-rate", "0.001"]
    assert cli.main(arguments) == 0
    table, further, never = capsys.readouterr().out.split("\n\n")
    rows = [tuple(line.split()[:2]) for line in table.splitlines()[2:]]
    assert rows == [
        ("decoupled", "0.01"),
        ("decoupled_paper", "1e-05"),
        ("independent", "1e-05"),
    ]
    lines = [line.strip() for line in further.splitlines()[1:]]
    needing = dict(zip(lines[::2], lines[1::2], strict=True))
    assert needing["--optimizer sgd"] == "l2, half_l2"
    assert needing["--optimizer sgd --batch-size"] == "mlp_alpha"
    assert needing["--n-samples --batch-size --epochs"] == "normalized"
    assert "l1, lasso_alpha" in never

    arguments += ["--n-samples", "100", "--batch-size", "10", "--epochs", "10"]
    assert cli.main([*arguments, "--optimizer", "sgd"]) == 0
    table, never = capsys.readouterr().out.split("\n\n")
    assert len(table.splitlines()) == 2 + 11
    assert cli.main([*arguments, "--optimizer", "lion"]) == 0
    table, adaptive, never = capsys.readouterr().out.split("\n\n")
    assert len(table.splitlines()) == 2 + 5
    assert "history of gradients" in " ".join(adaptive.split())
    lines = "\n".join((table, further, never, adaptive)).splitlines()
    assert max(map(len, lines)) <= 80
    assert cli.main(["convert", "0", "--from", "l2", "--n-samples", "9"]) == 0
    assert "No finite number as gaussian_prior_scale." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    (
        ([], ["VALUE", "--from"]),
        (["1"], ["--from"]),
        (["1", "--from", "l3"], ["--from", "'l3'", "There are l2, ", "ridge_alpha"]),
        (
            ["1", "--from", "l2", "--to", "lassso_alpha"],
            ["--to", "'lassso_alpha'", "closest is 'lasso_alpha'", "; there are l2, "],
        ),
        (["1", "--from", "torch_weight_decay"], ["'half_l2'", "'decoupled'"]),
        (["ten", "--from", "l2"], ["VALUE", "'ten'", "number"]),
        (["-1", "--from", "l2"], ["VALUE", "-1", "at least 0"]),
        (["nan", "--from", "l2", "--to", "half_l2"], ["VALUE", "nan"]),
        (["0", "--from", "timescale_epochs"], ["VALUE", "greater than 0"]),
        (["1", "--from", "l2", "--learning-rate", "0"], ["--learning-rate", "'0'"]),
        (["1", "--from", "l2", "--noise-variance", "inf"], ["--noise-variance"]),
        (["1", "--from", "l2", "--n-samples", "1.5"], ["--n-samples", "whole number"]),
        (
            ["1", "--from", "l2", "--n-samples", "3", "--batch-size", "4"],
            ["--batch-size", "--n-samples, which is 3", "4"],
        ),
        (
            ["1", "--from", "adamw", "--to", "normalized", "--batch-size", "4"],
            ["--learning-rate (η", "--n-samples (", "--epochs ("],
        ),
        (
            ["1", "--from", "l2", "--to", "adamw", "--optimizer", "adam"],
            ["--optimizer", "plain SGD", "history of gradients", "'adam'"],
        ),
        (
            ["1", "--from", "l2", "--to", "adamw", "--optimizer", "{lamb} %s"],
            ["--optimizer", "'{lamb} %s'"],
        ),
        (["1", "--from", "l1", "--to", "l2"], ["--to", "'lasso_alpha'", "'l2'"]),
        (
            ["0", "--from", "l2", "--to", "gaussian_prior_scale", "--n-samples", "3"],
            ["VALUE", "infinite"],
        ),
    ),
)
def test_bad_arguments_of_convert(arguments, words, capsys):
    sentence = error_of(["convert", *arguments], capsys)
    for word in words:
        assert word in sentence
    assert "`" not in sentence and "None" not in sentence


def test_help_of_convert_lists_the_names(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["convert", "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    for word in ("half_l2_per_sample", "w ← w − η λ w", "torch_adamw", "lasso_alpha"):
        assert word in out


def test_bare_command_prints_help(capsys):
    assert cli.main([]) == 2
    assert "diabetes" in capsys.readouterr().err


def test_version_and_help(capsys):
    for option, word in (
        ("--version", keras_decay.__version__),
        ("--help", "diabetes"),
    ):
        with pytest.raises(SystemExit) as caught:
            cli.main([option])
        assert caught.value.code == 0
        assert word in capsys.readouterr().out


@pytest.mark.parametrize("option", ("--help", "--version"))
def test_help_needs_no_keras(option, tmp_path):
    """Keras cannot be imported here, for there is no such backend."""
    code, out, err = finish(start(tmp_path, option, KERAS_BACKEND="abacus"))
    assert (code, err) == (0, "")
    assert "keras-decay" in out


def test_backend_that_does_not_exist(tmp_path):
    code, out, err = finish(start(tmp_path, *SHORT, KERAS_BACKEND="abacus"))
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "abacus" in err
    assert list(tmp_path.iterdir()) == []


def test_missing_backend_is_one_sentence(run_python, tmp_path):
    source = (
        "import sys\n"
        "for name in ('tensorflow', 'jax', 'torch'):\n"
        "    sys.modules[name] = None\n"
        "from keras_decay.cli import main\n"
        "sys.exit(main(['diabetes', '--out', sys.argv[1]]))\n"
    )
    out = tmp_path / "out"
    done = run_python(source, out, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert f"keras-decay[{keras.backend.backend()}]" in done.stderr
    assert not out.exists()


@pytest.mark.slow
@once
def test_output_that_cannot_hold_every_character(run_python):
    source = (
        "import sys\n"
        "from keras_decay import cli\n"
        "from keras_decay.experiments import diabetes\n"
        "from keras_decay.experiments._terminal import Terminal\n"
        "def show(options, check):\n"
        "    Terminal().report(diabetes.run(['l2'], seeds=2, epochs=1), 'x')\n"
        "cli.COMMANDS['diabetes'] = (lambda parser: None, show, 'a command')\n"
        "sys.exit(cli.main(['diabetes']))\n"
    )
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONPATH": os.pathsep.join(SEARCHED)}
    done = run_python(source, environment=environment)
    assert "ridge-cv" in done.stdout
    assert " ? " in done.stdout
