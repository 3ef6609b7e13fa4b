"""`preset_rules`: the rules of a well-known recipe, for a model that exists."""

from keras_decay.optimizers.rules.model_rules import (
    check_model,
    check_no_weight_decay,
    check_preset,
    decayed,
    rules_by_path,
)
from keras_decay.optimizers.strength import check_strength


def preset_rules(preset, model, weight_decay, no_weight_decay=()):
    """Rules that decay the variables which a well-known recipe decays.

    Under the rules a step is w ← w − u − c_t λ w for the variables that the preset
    selects, and w ← w − u for the others. Each trainable variable gets a rule of its
    own, `(regex of exactly its path, λ or None)`, so that the list says all and
    `weight_decay` of the optimizer is not needed beside it.

    The presets, and whose recipes they are:

        "kernels"                  what `DecoupledWeightDecay` decays by default, made
                                   explicit: rank 2 or more, not named bias, gamma, …
        "no_bias_norm"             all but biases and scales, so embeddings too: BERT,
                                   and "no bias decay" of ResNets
        "no_bias_norm_embedding"   all but biases, scales and embeddings: minGPT
        "everything"               all trainable variables: `torch.optim.AdamW`
        "timm"                     timm's: rank 2 or more, but no biases, no tables of
                                   positions, no class, distillation or register tokens
        "hf_trainer"               the `Trainer` of transformers: all but biases and
                                   layer or RMS normalisations. Embeddings, tokens,
                                   LayerScale, and the γ of batch and group
                                   normalisations (not their β) are decayed
        "nanogpt"                  nanoGPT's: rank 2 or more, embeddings too
        "swin"                     Swin Transformer's: rank 2 or more, but no biases, no
                                   tables of positions, no mask tokens, and in Swin V2
                                   neither `cpb_mlp` nor `logit_scale`
        "dinov2"                   DINOv2's: all but biases, normalisations and
                                   LayerScale; tokens and positions are decayed

    Scales are all variables of normalisation layers, the slopes of `PReLU`, which its
    paper does not decay, LayerScale, temperatures, what is named gamma, beta, scale,
    offset or alpha, and what is unknown and has rank 0 or 1. Embeddings are the
    variables of `Embedding` layers, and tables and tokens that layers outside Keras
    name so: pos_embed, position_embedding, cls_token. `"no_bias_norm"` and
    `"no_bias_norm_embedding"` also spare `A_log` and `dt_bias` of state-space models
    and tables of relative positions. The layer that owns a variable decides, by its
    class where that is Keras' own, else by names.

    The last five recipes are written for PyTorch's parameters, by name, rank and class.
    On a Keras model this is assumed:

    - A bias is one whatever its rank (attention's has a row for each head), and so is
      the β of a normalisation, which PyTorch calls `bias`.
    - Normalisations, LayerScale and slopes have rank 1. A normalisation is known by its
      class, where a recipe knows it by its name.
    - A recipe that searches in a parameter's name searches in the variable's path,
      without the model's name, and in the attribute that holds the variable.
    - Queries, keys and values decay alike, be they one kernel or three. A table that is
      tied to the output is one variable, and an embedding.
    - Lists that a PyTorch model brings, such as `no_weight_decay()` of timm's, are
      applied by kind to tables and tokens. Give what else they name, such as
      `attention_biases`, as `no_weight_decay`.

    Convention of λ: "decoupled", as in `DecoupledWeightDecay`.

    Args:
        preset: The name of a preset.
        model: The built `keras.Model` that is then trained: the rules hold its paths.
        weight_decay: λ, a non-negative number, a scalar `keras.Variable`, a schedule
            or a callable of the step; every rule gets the same.
        no_weight_decay: Names of further variables to spare, with `*` and `?` as in
            timm; each stands for a whole path or for its last components, such as
            "cls_token" or "blocks_*/temperature".

    Returns:
        A list of tuples for `DecoupledWeightDecay(rules=...)`.

    Raises:
        TypeError, ValueError: If an argument is not as described, the model is not
            built or has nothing to train, a name matches nothing, or two variables
            share a path but not λ.

    Example:

    ```python
    layers = [keras.Input((8,)), keras.layers.Dense(1, name="head")]
    model = keras.Sequential(layers, name="net")
    rules = kd.preset_rules("no_bias_norm", model, 0.01)
    print(rules)  # [('^net/head/kernel$', 0.01), ('^net/head/bias$', None)]
    model.compile(kd.DecoupledWeightDecay(keras.optimizers.Adam(), rules=rules), "mse")
    ```

    References: Devlin et al., BERT, arXiv 1810.04805; He et al., Bag of Tricks for
    Image Classification, arXiv 1812.01187 (ResNet); He et al., Delving Deep into
    Rectifiers, arXiv 1502.01852 (PReLU). The recipes in code, each in its project:
    `param_groups_weight_decay` (timm), `Trainer.get_decay_parameter_names`
    (transformers), `GPT.configure_optimizers` (nanoGPT), `set_weight_decay`
    (Swin-Transformer), `get_params_groups_with_decay` (dinov2).
    """
    check_preset(preset)
    check_model(model)
    value = check_strength("weight_decay", weight_decay)
    check_no_weight_decay(no_weight_decay, model)
    yes = decayed(preset, model, no_weight_decay)
    return rules_by_path(model, [value if each else None for each in yes])
