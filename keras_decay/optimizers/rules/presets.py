"""`preset_rules`: the rules of a well-known recipe, for a model that exists."""

from keras_decay.optimizers.rules.model_rules import (
    check_model,
    check_preset,
    decayed,
    rules_by_path,
)
from keras_decay.optimizers.strength import check_strength


def preset_rules(preset, model, weight_decay):
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
        "no_bias_norm_embedding"   all but biases, scales and embeddings: minGPT, and,
                                   as to position embeddings and class tokens, the
                                   vision transformers of timm
        "everything"               all trainable variables: `torch.optim.AdamW`

    Scales are all variables of normalisation layers, the slopes of `PReLU`, which its
    paper does not decay, and what is named gamma, beta, scale, offset or alpha.
    Embeddings are the variables of `Embedding` layers, and tables and tokens that
    layers outside Keras name so: pos_embed, position_embedding, cls_token. The layer
    that owns a variable decides, by its class where that is Keras' own, else by names,
    and the rank never.

    Convention of λ: "decoupled", as in `DecoupledWeightDecay`.

    Args:
        preset: `"kernels"`, `"no_bias_norm"`, `"no_bias_norm_embedding"` or
            `"everything"`.
        model: The built `keras.Model` that is then trained: the rules hold its paths.
        weight_decay: λ, a non-negative number, a scalar `keras.Variable`, a schedule
            or a callable of the step; every rule gets the same.

    Returns:
        A list of tuples for `DecoupledWeightDecay(rules=...)`.

    Raises:
        TypeError, ValueError: If an argument is not as described, the model is not
            built or has nothing to train, or two variables share a path but not λ.

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
    Rectifiers, arXiv 1502.01852 (PReLU).
    """
    check_preset(preset)
    check_model(model)
    value = check_strength("weight_decay", weight_decay)
    yes = decayed(preset, model)
    return rules_by_path(model, [value if each else None for each in yes])
