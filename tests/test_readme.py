"""What README.md shows is what runs."""

import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import keras_decay as kd
from keras_decay import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(example.strip().splitlines()) <= 15
    rng = np.random.default_rng(0)
    names = {"x": rng.normal(size=(60, 5)), "y": rng.normal(size=(60, 1))}
    exec(example.replace("epochs=100", "epochs=6"), names)
    assert len(kd.LearningCurve.load("run.jsonl").rows) == 6
    assert (tmp_path / "run.png").stat().st_size > 10_000
    assert capsys.readouterr().out.strip().splitlines()[-1] == str(
        names["curve"].diagnose()
    )


@pytest.mark.parametrize("name", ["experiment", "tests"])
def test_each_command_is_one_line(name):
    block = re.search(rf"<!-- command: {name} -->\n```sh\n(.*?)```", README, re.S)
    assert block and len(block.group(1).strip().splitlines()) == 1


def test_conversions_print_what_is_shown(capsys):
    (call,) = re.findall(r">>> (kd.convert\(.*\))\n(.*)\n", README)
    (command,) = re.findall(r"\$ keras-decay (convert .*)\n(.*)\n", README)
    assert repr(eval(call[0])) == call[1]
    assert cli.main(command[0].split()) == 0
    assert capsys.readouterr().out == command[1] + "\n"


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_the_figure_is_a_picture():
    image = matplotlib.image.imread(ROOT / "docs" / "diabetes.png")
    assert image.shape[0] > 500 and image.std() > 0.05
