"""The rules by which well-known training code spares PyTorch's parameters from decay.

Each says whether a parameter is decayed, by its name, its number of axes, and whether
`torch.nn.LayerNorm` holds it. Written in our own words from the originals:

- `timm`: huggingface/pytorch-image-models at aa4b585, `timm/optim/_param_groups.py`
  (`param_groups_weight_decay`), with the lists that `no_weight_decay()` gives in
  `timm/models/vision_transformer.py` and `swin_transformer.py`.
- `hf_trainer`: huggingface/transformers, `src/transformers/trainer.py`
  (`Trainer.get_decay_parameter_names`), which finds norms by class and by name.
- `nanogpt`: karpathy/nanoGPT at 3adf61e, `model.py` (`configure_optimizers`).
- `swin`: microsoft/Swin-Transformer at f82860b, `optimizer.py` (`set_weight_decay`),
  with the lists of `models/swin_transformer.py`, `swin_transformer_v2.py` and
  `simmim.py`.
- `dinov2`: facebookresearch/dinov2, `dinov2/utils/param_groups.py`
  (`get_params_groups_with_decay`).
"""

import re

# A letter for each preset that decays a variable, a point for each that spares it.
LETTERS = {
    "kernels": "D",
    "timm": "T",
    "hf_trainer": "H",
    "nanogpt": "N",
    "swin": "S",
    "dinov2": "O",
}
ALL, NOTHING = "DTHNSO", "......"

# By the last component of a Keras path, where a model's own lines say nothing else:
# what is decayed; in PyTorch the name, the number of axes, and whether LayerNorm holds
# it.
USUAL = {
    "kernel": (ALL, "layer.weight", 2, False),
    "bias": (NOTHING, "layer.bias", 1, False),
    "gamma": (NOTHING, "layer_norm.weight", 1, True),
    "beta": (NOTHING, "layer_norm.bias", 1, True),
}


def timm(name, axes, in_layer_norm):
    listed = {"pos_embed", "cls_token", "reg_token", "dist_token"}
    spared = name in listed or "relative_position_bias_table" in name
    return axes > 1 and not name.endswith(".bias") and not spared


def hf_trainer(name, axes, in_layer_norm):
    texts = ("bias", "layernorm", "rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)")
    named = any(re.search(text, name.lower()) for text in texts)
    return not named and not in_layer_norm


def nanogpt(name, axes, in_layer_norm):
    return axes >= 2


def swin(name, axes, in_layer_norm):
    keywords = ("relative_position_bias_table", "cpb_mlp", "logit_scale")
    spared = name in {"absolute_pos_embed", "mask_token"}
    spared = spared or any(keyword in name for keyword in keywords)
    return axes != 1 and not name.endswith(".bias") and not spared


def dinov2(name, axes, in_layer_norm):
    return not name.endswith(".bias") and "norm" not in name and "gamma" not in name
