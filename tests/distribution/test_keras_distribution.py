"""`DecoupledWeightDecay` under `keras.distribution`: the weights of one device."""

import json
from pathlib import Path

import keras
import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "jax", reason="keras.distribution")
def test_data_and_model_parallel(run_python):
    """Oracle: the same training on one device, in the same process."""
    source = "import sys; sys.path.insert(0, sys.argv[1]); import sharded"
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    printed = run_python(source, HERE, environment=flags).stdout
    found = json.loads(printed.splitlines()[-1])
    assert found["devices"] == 8
    assert found["effect"] > 0.01  # of λ, set in the middle of training
    for setting, split in (("data_parallel", 0), ("model_parallel", 3)):
        differences = found[setting]["differences"]
        assert not {name: d for name, d in differences.items() if not d <= 1e-6}
        expected = {"split": split, "averages_alike": True, "scalars_whole": True}
        assert len(differences) == 7 and len(found[setting]["placements"]) == 3
        assert all(p == expected for p in found[setting]["placements"].values())
