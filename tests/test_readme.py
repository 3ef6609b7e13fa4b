"""What README.md shows is what runs."""

import json
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from support import once

import examples
import keras_decay as kd
from keras_decay import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
RESULTS = (ROOT / "benchmarks" / "RESULTS.md").read_text()


@pytest.mark.slow
@once
def test_the_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    example, search = examples.code(README)
    assert all(len(e.strip().splitlines()) <= 15 for e in (example, search))
    rng = np.random.default_rng(0)
    names = {"x": rng.normal(size=(60, 5)), "y": rng.normal(size=(60, 1))}
    exec(example.replace("epochs=100", "epochs=6"), names)
    assert len(kd.LearningCurve.load("run.jsonl").rows) == 6
    assert (tmp_path / "run.png").stat().st_size > 10_000
    assert capsys.readouterr().out.strip().splitlines()[-1] == str(
        names["curve"].diagnose()
    )
    (sweep,) = re.findall(r"`(kd\.sweep\(build.*?\))`", README, re.S)
    (grid,) = re.findall(r"`(kd\.strength_grid\(build.*?\))`", README, re.S)
    exec(examples.shortened(search), names)
    assert capsys.readouterr().out.count("0.") >= 2
    assert (tmp_path / "validation.png").stat().st_size > 10_000
    assert len(eval(sweep.replace("epochs=50", "epochs=1"), names).curves[1]) == 3
    assert len(eval(grid, names)) == 25


@pytest.mark.parametrize("name", ["experiment", "tests", "site"])
def test_each_command_is_one_line(name):
    block = re.search(rf"<!-- command: {name} -->\n```sh\n(.*?)```", README, re.S)
    assert block and len(block.group(1).strip().splitlines()) == 1


def test_conversions_print_what_is_shown(capsys):
    (call,) = re.findall(r">>> (kd.convert\(.*\))\n(.*)\n", README)
    (command,) = re.findall(r"\$ keras-decay (convert .*)\n(.*)\n", README)
    assert repr(eval(call[0])) == call[1]
    assert cli.main(command[0].split()) == 0
    assert capsys.readouterr().out == command[1] + "\n"


def test_several_curves_are_drawn_as_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (call,) = re.findall(r"`(kd.plot_curves\(.*\))`", README)
    (command,) = re.findall(r"`keras-decay (plot .*)`", README)
    rows = [{"epoch": e, "loss": 1 / (e + 1), "val_loss": 0.5} for e in range(4)]
    names = {"kd": kd, **dict.fromkeys(("curve", "seed_0", "seed_1"), rows)}
    eval(call, names).figure.savefig("call.svg")
    for name in re.findall(r"\w+\.jsonl", command):
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert cli.main(command.split()) == 0
    assert (tmp_path / "call.svg").exists() and (tmp_path / "figure.svg").exists()


def test_numbers_are_among_the_measurements():
    """What README.md tells of speed and of the experiment stands in RESULTS.md."""
    ratios = re.search(
        r"takes (\S+) of the time of\s+`keras.optimizers.AdamW` on TensorFlow, (\S+) on"
        r" JAX and (\S+) on PyTorch",
        README,
    )
    step = r"\| step, 16 kernels of 1024² \| keras.optimizers.AdamW \| (\S+) \|"
    assert list(ratios.groups()) == re.findall(step, RESULTS)
    rows = re.findall(r"^\|.* ± .*$", README, re.M)
    assert len(rows) == 7 and all(row in RESULTS for row in rows)
    assert re.search(r"`(keras-decay diabetes .*--arms.*)`", README)[1] in RESULTS


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_the_figure_is_a_picture():
    image = matplotlib.image.imread(ROOT / "docs" / "diabetes.png")
    assert image.shape[0] > 500 and image.std() > 0.05
