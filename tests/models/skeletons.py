"""The variables of well-known models, without their arithmetic.

Layers, names and shapes are those of keras_hub's backbones with one block, as they were
printed from keras-team/keras-hub at commit 71453d0; `Mamba` has the names of
huggingface/transformers, `ConvNeXt` and `MobileNet` those of keras.applications. Such a
model is built at once, and is never called.
"""

import keras
from keras import layers

# Random numbers would be compiled for each shape.
ZEROS = {"kernel_initializer": "zeros"}


def fill(holder, parts):
    """Give a layer or model its parts, built.

    Args:
        holder: The layer or model.
        parts: By attribute, the shape of a variable, a pair (name, shape) for a
            variable, a `Part`, or a pair (layer, shape that it is built on).
    """
    for attribute, part in parts.items():
        if isinstance(part, Part):
            part.build()
        elif isinstance(part[0], layers.Layer):
            layer, shape = part
            layer.build(shape)
            part = layer
        else:
            name, shape = part if isinstance(part[0], str) else (attribute, part)
            part = holder.add_weight(name=name, shape=shape, initializer="zeros")
        setattr(holder, attribute, part)


class Part(layers.Layer):
    """A layer outside Keras that holds `parts`; see `fill`."""

    def __init__(self, name, **parts):
        super().__init__(name=name)
        self._parts_to_be = list(parts.items())

    def build(self, shape=None):
        fill(self, dict(self._parts_to_be))


class T5LayerNorm(Part):
    pass


class LlamaLayerNorm(Part):
    pass


class MambaRMSNorm(Part):
    pass


class LayerScale(Part):
    pass


class PositionEmbedding(Part):
    pass


class ReversibleEmbedding(layers.Embedding):
    """A table with a head that is not tied to it."""

    def build(self, shape=None):
        super().build(shape)
        self.reverse_embeddings = self.add_weight(
            name="reverse_embeddings",
            shape=(self.output_dim, self.input_dim),
            initializer="zeros",
        )


class Skeleton(keras.Model):
    """A built model of `parts`; see `fill`."""

    def __init__(self, name, **parts):
        super().__init__(name=name)
        self._parts_to_be = list(parts.items())
        self.build()

    def build(self, shape=None):
        fill(self, dict(self._parts_to_be))
        self.built = True


def dense(name, units, inputs, **arguments):
    return layers.Dense(units, name=name, **ZEROS, **arguments), (None, inputs)


def norm(name, size=4):
    return layers.LayerNormalization(name=name), (None, 3, size)


class Attention(Part):
    """Keras' attention by its four projections, each a layer of Keras' own."""

    def __init__(self, name, bias=True):
        def project(name, equation, shape, axes, inputs):
            layer = layers.EinsumDense(
                equation, shape, bias_axes=axes if bias else None, name=name, **ZEROS
            )
            return layer, inputs

        heads = {
            each: project(each, "abc,cde->abde", (None, 2, 2), "de", (None, 3, 4))
            for each in ("query", "key", "value")
        }
        output = project(
            "attention_output", "abcd,cde->abe", (None, 4), "e", (None, 3, 2, 2)
        )
        super().__init__(name, **heads, attention_output=output)


def table(name, rows):
    return layers.Embedding(rows, 4, "zeros", name=name), (None,)


def vit():
    block = Part(
        "transformer_block_1",
        ln_1=norm("ln_1"),
        mha=Attention("mha"),
        ln_2=norm("ln_2"),
        mlp=Part("mlp", dense_1=dense("dense_1", 8, 4), dense_2=dense("dense_2", 4, 8)),
    )
    conv = layers.Conv2D(4, 4, name="patch_embedding", **ZEROS), (None, 8, 8, 3)
    return Skeleton(
        "vit",
        embedding=Part(
            "vit_patching_and_embedding",
            class_token=(1, 1, 4),
            patch_embedding=conv,
            position_embedding=table("position_embedding", 5),
        ),
        encoder=Part("vit_encoder", block=block, ln=norm("ln")),
    )


def swin():
    attn = Part(
        "attn",
        relative_position_bias_table=(9, 2),
        attention_qkv=dense("attention_qkv", 12, 4),
        attention_projection=dense("attention_projection", 4, 4),
        logit_scale=(2, 1, 1),
        cpb_mlp=Part("cpb_mlp", dense=dense("dense", 8, 2)),
    )
    block = Part(
        "blocks_0",
        norm1=norm("norm1"),
        attn=attn,
        norm2=norm("norm2"),
        mlp=Part("mlp", fc1=dense("fc1", 8, 4), fc2=dense("fc2", 4, 8)),
    )
    reduction = dense("reduction", 8, 16, use_bias=False)
    conv = layers.Conv2D(4, 4, name="conv_projection", **ZEROS), (None, 8, 8, 3)
    return Skeleton(
        "swin",
        patch_embedding=Part(
            "patch_embedding", conv_projection=conv, norm=norm("norm")
        ),
        absolute_pos_embed=(1, 4, 4),
        mask_token=(1, 1, 4),
        stage=Part("stage_0", blocks_0=block),
        downsample=Part("downsample", reduction=reduction, norm=norm("norm", 16)),
        norm=norm("norm"),
    )


def convnext():
    depthwise = (
        layers.Conv2D(4, 7, groups=4, name="depthwise_conv", **ZEROS),
        (None, 8, 8, 4),
    )
    return Skeleton(
        "convnext",
        stem=(layers.Conv2D(4, 4, name="stem_conv", **ZEROS), (None, 8, 8, 3)),
        stem_norm=norm("stem_layernorm"),
        depthwise=depthwise,
        block_norm=norm("block_0_layernorm"),
        up=dense("pointwise_conv_1", 16, 4),
        down=dense("pointwise_conv_2", 4, 16),
        scale=LayerScale("layer_scale", gamma=(4,)),
        head_norm=norm("head_layernorm"),
        head=dense("head_dense", 2, 4),
    )


def dinov2():
    layer = Part(
        "layers_0",
        norm1=norm("norm1"),
        attention=Part("attention", attention=Attention("attention")),
        layer_scale1=Part("layer_scale1", lambda1=(4,)),
        norm2=norm("norm2"),
        mlp=Part("mlp", fc1=dense("fc1", 8, 4), fc2=dense("fc2", 4, 8)),
        layer_scale2=Part("layer_scale2", lambda1=(4,)),
    )
    conv = layers.Conv2D(4, 4, name="projection", **ZEROS), (None, 8, 8, 3)
    return Skeleton(
        "dinov2",
        embeddings=Part(
            "embeddings",
            cls_token=(1, 1, 4),
            mask_token=(1, 4),
            register_tokens=(1, 2, 4),
            position_embeddings=("interpolated_position_embeddings", (1, 5, 4)),
            patch_embeddings=Part("patch_embeddings", projection=conv),
        ),
        encoder=Part("encoder", layers_0=layer),
        layernorm=norm("layernorm"),
    )


def bert():
    layer = Part(
        "transformer_layer_0",
        self_attention=Attention("self_attention_layer"),
        self_attention_norm=norm("self_attention_layer_norm"),
        up=dense("feedforward_intermediate_dense", 8, 4),
        down=dense("feedforward_output_dense", 4, 8),
        feedforward_norm=norm("feedforward_layer_norm"),
    )
    return Skeleton(
        "bert",
        token_embedding=table("token_embedding", 10),
        position_embedding=PositionEmbedding(
            "position_embedding", position_embeddings=("embeddings", (6, 4))
        ),
        segment_embedding=table("segment_embedding", 2),
        embeddings_layer_norm=norm("embeddings_layer_norm"),
        layer=layer,
        pooled=dense("pooled_dense", 4, 4),
    )


def gpt2():
    layer = Part(
        "transformer_layer_0",
        self_attention_norm=norm("self_attention_layer_norm"),
        self_attention=Attention("self_attention"),
        feedforward_norm=norm("feedforward_layer_norm"),
        up=dense("feedforward_intermediate_dense", 8, 4),
        down=dense("feedforward_output_dense", 4, 8),
    )
    return Skeleton(
        "gpt2",
        token_embedding=table("token_embedding", 10),
        position_embedding=PositionEmbedding(
            "position_embedding", position_embeddings=("embeddings", (6, 4))
        ),
        layer=layer,
        layer_norm=norm("layer_norm"),
    )


def t5():
    layer = Part(
        "transformer_encoder_layer_0",
        self_attention=Part(
            "self_attention",
            relative_attention_bias=("embeddings", (32, 2)),
            query_projector=dense("query_projector", 4, 4, use_bias=False),
            output_projector=dense("output_projector", 4, 4, use_bias=False),
        ),
        attention_norm=T5LayerNorm("t5_layer_norm", weight=(4,)),
        gate=dense("gate_projector", 8, 4, use_bias=False),
        feedforward_norm=T5LayerNorm("t5_layer_norm_1", weight=(4,)),
    )
    return Skeleton("t5", token_embedding=table("token_embedding", 10), layer=layer)


def llama():
    layer = Part(
        "transformer_layer_0",
        attention=Attention("self_attention", bias=False),
        attention_norm=LlamaLayerNorm("self_attention_layernorm", scale=(4,)),
        gate=dense("feedforward_gate_dense", 8, 4, use_bias=False),
        feedforward_norm=(
            layers.RMSNormalization(name="feedforward_layernorm"),
            (None, 3, 4),
        ),
    )
    head = ReversibleEmbedding(10, 4, "zeros", name="token_embedding")
    return Skeleton("llama", token_embedding=(head, (None,)), layer=layer)


def mamba():
    mixer = Part(
        "mixer",
        in_proj=dense("in_proj", 16, 4, use_bias=False),
        conv1d=(layers.Conv1D(8, 4, groups=8, name="conv1d", **ZEROS), (None, 6, 8)),
        dt_proj=dense("dt_proj", 8, 1),
        A_log=(8, 3),
        D=(8,),
        dt_bias=(2,),
        out_proj=dense("out_proj", 4, 8, use_bias=False),
    )
    layer = Part("layers_0", norm=MambaRMSNorm("norm", weight=(4,)), mixer=mixer)
    return Skeleton(
        "mamba",
        embeddings=table("embeddings", 10),
        layer=layer,
        norm_f=MambaRMSNorm("norm_f", weight=(4,)),
    )


def mobilenet():
    return Skeleton(
        "mobilenet_norm_bias",  # a model's own name is no part of a parameter's
        conv=(
            layers.Conv2D(4, 3, use_bias=False, name="conv", **ZEROS),
            (None, 8, 8, 3),
        ),
        conv_bn=(layers.BatchNormalization(name="conv_bn"), (None, 8, 8, 4)),
        depthwise=(
            layers.DepthwiseConv2D(3, name="depthwise", depthwise_initializer="zeros"),
            (None, 8, 8, 4),
        ),
        group_norm=(layers.GroupNormalization(2, name="group_norm"), (None, 8, 8, 4)),
        prelu=(layers.PReLU(name="prelu"), (None, 8, 8, 4)),
        squeeze=dense("squeeze_excite", 2, 4),
    )
