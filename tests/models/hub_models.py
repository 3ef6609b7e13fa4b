"""keras_hub's own models, small and built from a config, without a download.

Each function builds one. keras_hub takes seconds to import, so that happens here late.
"""


def hub():
    import keras_hub

    return keras_hub.models


# The arguments by which most of keras_hub's transformers are made.
TEXT = {"num_layers": 2, "num_heads": 2, "hidden_dim": 4, "intermediate_dim": 8}
WORDS = {"vocabulary_size": 9, "max_sequence_length": 6}
IMAGES = {"image_shape": (8, 8, 3), "patch_size": 4}
GROUPED = {
    "num_layers": 2,
    "num_query_heads": 2,
    "num_key_value_heads": 1,
    "hidden_dim": 4,
    "intermediate_dim": 8,
    "vocabulary_size": 9,
}


def bert(dropout=0.1):
    backbone = hub().BertBackbone(**TEXT, **WORDS, dropout=dropout)
    return hub().BertTextClassifier(backbone, num_classes=3, dropout=dropout)


def electra():
    """Embeddings narrower than the blocks, as in ELECTRA, with a projection."""
    return hub().ElectraBackbone(
        **TEXT, vocab_size=9, embedding_dim=2, max_sequence_length=6
    )


def deberta():
    backbone = hub().DebertaV3Backbone(**TEXT, **WORDS)
    return hub().DebertaV3TextClassifier(backbone, num_classes=2)


def gpt2():
    """The table makes the logits."""
    return hub().GPT2CausalLM(hub().GPT2Backbone(**TEXT, **WORDS))


def llama():
    """The layer of the table holds a head of its own."""
    return hub().LlamaCausalLM(hub().LlamaBackbone(**GROUPED))


def qwen():
    """A block of linear attention with a state, and one of attention."""
    return hub().Qwen3_5Backbone(
        **GROUPED,
        head_dim=4,
        layer_types=["linear_attention", "full_attention"],
        linear_num_key_heads=1,
        linear_num_value_heads=2,
        linear_key_head_dim=4,
        linear_value_head_dim=4,
    )


def t5():
    return hub().T5Backbone(**TEXT, vocabulary_size=9, tie_embedding_weights=False)


def vit():
    backbone = hub().ViTBackbone(
        **IMAGES, num_layers=2, num_heads=2, hidden_dim=4, mlp_dim=8
    )
    return hub().ViTImageClassifier(backbone, num_classes=2)


def deit():
    return hub().DeiTBackbone(**TEXT, **IMAGES)


def dinov2():
    return hub().DINOV2Backbone(
        **TEXT, **IMAGES, num_register_tokens=1, position_embedding_shape=(8, 8, 3)
    )


def swin():
    return hub().SwinTransformerBackbone(
        image_shape=(16, 16, 3),
        embed_dim=4,
        depths=(2, 2),
        num_heads=(2, 2),
        window_size=2,
    )


def mobilenet():
    backbone = hub().MobileNetBackbone(
        image_shape=(16, 16, 3),
        stackwise_num_blocks=[1, 1],
        stackwise_expansion=[[8], [8]],
        stackwise_num_filters=[[8], [8]],
        stackwise_kernel_size=[[3], [3]],
        stackwise_num_strides=[[1], [1]],
        stackwise_se_ratio=[[None], [0.25]],
        stackwise_activation=[["relu"], ["hard_swish"]],
        stackwise_padding=[[1], [1]],
        output_num_filters=8,
        input_num_filters=8,
        depthwise_filters=8,
        depthwise_stride=1,
        depthwise_residual=True,
        last_layer_filter=8,
        input_activation="hard_swish",
        output_activation="hard_swish",
        squeeze_and_excite=0.5,
    )
    return hub().MobileNetImageClassifier(backbone, num_classes=2)


def efficientnet():
    backbone = hub().EfficientNetBackbone(
        input_shape=(16, 16, 3),
        stackwise_kernel_sizes=[3, 3],
        stackwise_num_repeats=[1, 2],
        stackwise_input_filters=[8, 8],
        stackwise_output_filters=[8, 8],
        stackwise_expansion_ratios=[1, 4],
        stackwise_squeeze_and_excite_ratios=[0.25, 0.25],
        stackwise_strides=[1, 2],
        stackwise_block_types=["fused", "unfused"],
        stackwise_force_input_filters=[0, 0],
        stackwise_nores_option=[False, False],
        width_coefficient=1.0,
        depth_coefficient=1.0,
        num_features=8,
    )
    return hub().EfficientNetImageClassifier(backbone, num_classes=2)
