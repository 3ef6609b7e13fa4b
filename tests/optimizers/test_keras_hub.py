"""Fine-tuning of keras_hub's models: audit, LoRA in the middle, saving and loading."""

import keras
import numpy as np
import pytest
from models import hub_models
from support import decisions, to_numpy

import keras_decay as kd

pytestmark = [pytest.mark.slow, pytest.mark.needs("keras_hub")]

X = {
    "token_ids": np.arange(24).reshape(4, 6) % 9,
    "segment_ids": np.zeros((4, 6), "int32"),
    "padding_mask": np.ones((4, 6), "bool"),
}
Y = np.arange(4) % 3


LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def tuned(model=None):
    """BERT without dropout, compiled with decay by a recipe and rates by the layer."""
    model = hub_models.bert(dropout=0.0) if model is None else model
    rules = kd.layerwise_rules(
        model, 0.1, 1, rate_factor=0.5, preset="no_bias_norm_embedding"
    )
    optimizer = kd.DecoupledWeightDecay(keras.optimizers.Adam(0.01), rules=rules)
    model.compile(optimizer, LOSS)
    return model


def train(model):
    model.fit(X, Y, batch_size=2, epochs=1, shuffle=False, verbose=0)


def spared(path):
    return path.endswith(("bias", "gamma", "beta", "embeddings"))


def test_audit_without_a_probe_reads_the_recipe():
    model = tuned()
    report = kd.audit(model, probe=False)
    assert report.ok, report.warnings
    for row in report.rows:
        shrink = row["promised_shrink"]
        factor = row["rate_factor"] or 1.0
        expected = 0.0 if spared(row["path"]) else 0.01 * 0.1 * factor
        assert (shrink or 0.0) == pytest.approx(expected, rel=1e-5), row["path"]
        assert row["measured_shrink"] is None
    assert {row["rate_factor"] for row in report.rows} >= {0.5, 0.5**4}


def test_the_probe_measures_what_was_promised():
    model = tuned()
    before = [to_numpy(v) for v in model.weights]
    report = kd.audit(model)
    assert report.ok, report.warnings
    for row in report.rows:
        wanted = None if spared(row["path"]) else row["promised_shrink"]
        assert (row["measured_shrink"] or 0) == pytest.approx(wanted or 0, rel=1e-2)
    for was, variable in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(was, to_numpy(variable))


def moments_of_logits(optimizer):
    """By the last component of its path, each moment of the head."""
    names = [v.path.rsplit("/", 1)[-1] for v in optimizer.variables]
    pairs = zip(names, optimizer.variables, strict=True)
    return {name: to_numpy(v) for name, v in pairs if name.startswith("logits")}


def test_lora_is_enabled_in_the_middle():
    model = hub_models.bert(dropout=0.0)
    rules = [("logits/kernel", 0.3)]
    optimizer = kd.DecoupledWeightDecay(keras.optimizers.Adam(0.01), 0.1, rules=rules)
    model.compile(optimizer, LOSS)
    train(model)
    before = moments_of_logits(optimizer)
    model.backbone.enable_lora(2)
    kd.rebuild(model)
    after = moments_of_logits(optimizer)
    assert len(before) == 4  # of a kernel and a bias
    for name, moment in before.items():
        np.testing.assert_array_equal(after[name], moment)
    lora = [v for v in model.trainable_variables if "lora" in v.path]
    frozen = [v for v in model.backbone.non_trainable_variables if "kernel" in v.path]
    assert len(lora) == 8 and frozen
    start = [to_numpy(v) for v in (*lora, *frozen)]
    train(model)
    pairs = zip((*lora, *frozen), start, strict=True)
    moved = [bool((to_numpy(v) != was).any()) for v, was in pairs]
    assert moved == [True] * len(lora) + [False] * len(frozen)


def test_a_rule_for_each_path_does_not_outlive_lora():
    model = tuned()
    model.optimizer.build(model.trainable_variables)
    model.backbone.enable_lora(2)
    with pytest.raises(ValueError, match="matches no variable"):
        kd.rebuild(model)


def test_a_loaded_model_goes_on_bit_for_bit(tmp_path):
    """With a head of one's own: keras_hub's tasks are not compiled by loading."""
    backbone = hub_models.bert(dropout=0.0).backbone
    head = keras.layers.Dense(3, name="logits")
    outputs = head(backbone(backbone.input)["pooled_output"])
    model = tuned(keras.Model(backbone.input, outputs))
    train(model)
    model.save(tmp_path / "tuned.keras")
    loaded = keras.saving.load_model(tmp_path / "tuned.keras")
    assert_equal_after_training(model, loaded)


def test_a_task_goes_on_from_its_weights_bit_for_bit(tmp_path):
    model, other = tuned(), tuned()
    train(model)
    model.save_weights(tmp_path / "tuned.weights.h5")
    other.load_weights(tmp_path / "tuned.weights.h5")
    assert_equal_after_training(model, other)


def assert_equal_after_training(model, loaded):
    for each in (model, loaded):
        train(each)
    found = [decision["rule"] for decision in decisions(loaded.optimizer)]
    assert found == [decision["rule"] for decision in decisions(model.optimizer)]
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(one), to_numpy(other), one.path)
