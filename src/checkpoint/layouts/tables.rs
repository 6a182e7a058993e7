//! One table for each kind of checkpoint, in the order of the checkpoint's own listing. The project's name stands
//! first, the checkpoint's name second. `{l}` is the layer number.

use super::rule::Rule::{
    self, BehindZeroRow, Exp, FusedQkv, Linear, Norm, PlusFirstRow, ScaledLinear, Tensor, Transposed, Zero,
};

/// Hugging Face `Dinov2Model` and `Dinov2WithRegistersModel`, and a `projection` beside the model.
pub(super) const DINOV2: &[Rule] = &[
    Linear("vision.patch", "embeddings.patch_embeddings.projection"),
    Tensor("vision.class_token", "embeddings.cls_token"),
    Tensor("vision.registers", "embeddings.register_tokens"),
    Tensor("vision.positions", "embeddings.position_embeddings"),
    Norm("vision.blocks.{l}.ln_1", "encoder.layer.{l}.norm1"),
    Linear("vision.blocks.{l}.attention.query", "encoder.layer.{l}.attention.attention.query"),
    Linear("vision.blocks.{l}.attention.key", "encoder.layer.{l}.attention.attention.key"),
    Linear("vision.blocks.{l}.attention.value", "encoder.layer.{l}.attention.attention.value"),
    ScaledLinear(
        "vision.blocks.{l}.attention.output",
        "encoder.layer.{l}.attention.output.dense",
        "encoder.layer.{l}.layer_scale1.lambda1",
    ),
    Norm("vision.blocks.{l}.ln_2", "encoder.layer.{l}.norm2"),
    Linear("vision.blocks.{l}.mlp.in", "encoder.layer.{l}.mlp.fc1"),
    ScaledLinear(
        "vision.blocks.{l}.mlp.out",
        "encoder.layer.{l}.mlp.fc2",
        "encoder.layer.{l}.layer_scale2.lambda1",
    ),
    Norm("vision.ln_post", "layernorm"),
    Linear("vision.projection", "projection"),
];

/// Hugging Face `ViTModel`. Hugging Face publishes DINO in this layout.
pub(super) const VIT: &[Rule] = &[
    Linear("vision.patch", "embeddings.patch_embeddings.projection"),
    Tensor("vision.class_token", "embeddings.cls_token"),
    Tensor("vision.positions", "embeddings.position_embeddings"),
    Norm("vision.blocks.{l}.ln_1", "encoder.layer.{l}.layernorm_before"),
    Linear("vision.blocks.{l}.attention.query", "encoder.layer.{l}.attention.attention.query"),
    Linear("vision.blocks.{l}.attention.key", "encoder.layer.{l}.attention.attention.key"),
    Linear("vision.blocks.{l}.attention.value", "encoder.layer.{l}.attention.attention.value"),
    Linear("vision.blocks.{l}.attention.output", "encoder.layer.{l}.attention.output.dense"),
    Norm("vision.blocks.{l}.ln_2", "encoder.layer.{l}.layernorm_after"),
    Linear("vision.blocks.{l}.mlp.in", "encoder.layer.{l}.intermediate.dense"),
    Linear("vision.blocks.{l}.mlp.out", "encoder.layer.{l}.output.dense"),
    Norm("vision.ln_post", "layernorm"),
];

/// DINO's own names, which DoRA, iBOT, DINOv2 and timm also use. (In a training checkpoint the names have the prefix
/// `teacher.backbone.` or `student.module.backbone.`; `detect` removes the prefix.)
pub(super) const DINO: &[Rule] = &[
    Linear("vision.patch", "patch_embed.proj"),
    Tensor("vision.class_token", "cls_token"),
    Tensor("vision.positions", "pos_embed"),
    Norm("vision.ln_pre", "norm_pre"),
    Norm("vision.blocks.{l}.ln_1", "blocks.{l}.norm1"),
    FusedQkv("vision.blocks.{l}.attention", "blocks.{l}.attn.qkv."),
    Linear("vision.blocks.{l}.attention.output", "blocks.{l}.attn.proj"),
    Norm("vision.blocks.{l}.ln_2", "blocks.{l}.norm2"),
    Linear("vision.blocks.{l}.mlp.in", "blocks.{l}.mlp.fc1"),
    Linear("vision.blocks.{l}.mlp.out", "blocks.{l}.mlp.fc2"),
    Norm("vision.ln_post", "norm"),
];

/// The lines that DINOv2 adds to DINO's.
pub(super) const DINO_V2: &[Rule] = &[
    Tensor("vision.registers", "register_tokens"),
    ScaledLinear("vision.blocks.{l}.attention.output", "blocks.{l}.attn.proj", "blocks.{l}.ls1.gamma"),
    ScaledLinear("vision.blocks.{l}.mlp.out", "blocks.{l}.mlp.fc2", "blocks.{l}.ls2.gamma"),
];

/// The lines that differ in timm's DINOv2 with registers: its class token contains the token's position.
pub(super) const TIMM_REGISTERS: &[Rule] =
    &[Tensor("vision.registers", "reg_token"), BehindZeroRow("vision.positions", "pos_embed")];

/// Hugging Face `CLIPModel`, both towers.
pub(super) const CLIP: &[Rule] = &[
    Tensor("vision.patch.weight", "vision_model.embeddings.patch_embedding.weight"),
    Zero("vision.patch.bias"),
    Tensor("vision.class_token", "vision_model.embeddings.class_embedding"),
    Tensor("vision.positions", "vision_model.embeddings.position_embedding.weight"),
    Norm("vision.ln_pre", "vision_model.pre_layrnorm"),
    Norm("vision.blocks.{l}.ln_1", "vision_model.encoder.layers.{l}.layer_norm1"),
    Linear("vision.blocks.{l}.attention.query", "vision_model.encoder.layers.{l}.self_attn.q_proj"),
    Linear("vision.blocks.{l}.attention.key", "vision_model.encoder.layers.{l}.self_attn.k_proj"),
    Linear("vision.blocks.{l}.attention.value", "vision_model.encoder.layers.{l}.self_attn.v_proj"),
    Linear("vision.blocks.{l}.attention.output", "vision_model.encoder.layers.{l}.self_attn.out_proj"),
    Norm("vision.blocks.{l}.ln_2", "vision_model.encoder.layers.{l}.layer_norm2"),
    Linear("vision.blocks.{l}.mlp.in", "vision_model.encoder.layers.{l}.mlp.fc1"),
    Linear("vision.blocks.{l}.mlp.out", "vision_model.encoder.layers.{l}.mlp.fc2"),
    Norm("vision.ln_post", "vision_model.post_layernorm"),
    Tensor("vision.projection.weight", "visual_projection.weight"),
    Tensor("text.tokens", "text_model.embeddings.token_embedding.weight"),
    Tensor("text.positions", "text_model.embeddings.position_embedding.weight"),
    Norm("text.blocks.{l}.ln_1", "text_model.encoder.layers.{l}.layer_norm1"),
    Linear("text.blocks.{l}.attention.query", "text_model.encoder.layers.{l}.self_attn.q_proj"),
    Linear("text.blocks.{l}.attention.key", "text_model.encoder.layers.{l}.self_attn.k_proj"),
    Linear("text.blocks.{l}.attention.value", "text_model.encoder.layers.{l}.self_attn.v_proj"),
    Linear("text.blocks.{l}.attention.output", "text_model.encoder.layers.{l}.self_attn.out_proj"),
    Norm("text.blocks.{l}.ln_2", "text_model.encoder.layers.{l}.layer_norm2"),
    Linear("text.blocks.{l}.mlp.in", "text_model.encoder.layers.{l}.mlp.fc1"),
    Linear("text.blocks.{l}.mlp.out", "text_model.encoder.layers.{l}.mlp.fc2"),
    Norm("text.ln_final", "text_model.final_layer_norm"),
    Tensor("text.projection.weight", "text_projection.weight"),
    Exp("logit_scale", "logit_scale"),
];

/// OpenCLIP's `CLIP`, both towers. OpenAI's own names are the same. (OpenCLIP's `CustomTextCLIP` has the prefix
/// `text.` before the text tower's names, and TinyCLIP's release has its own prefixes; `detect` removes them.)
pub(super) const OPEN_CLIP: &[Rule] = &[
    Tensor("vision.patch.weight", "visual.conv1.weight"),
    Zero("vision.patch.bias"),
    Tensor("vision.class_token", "visual.class_embedding"),
    Tensor("vision.positions", "visual.positional_embedding"),
    Norm("vision.ln_pre", "visual.ln_pre"),
    Norm("vision.blocks.{l}.ln_1", "visual.transformer.resblocks.{l}.ln_1"),
    FusedQkv("vision.blocks.{l}.attention", "visual.transformer.resblocks.{l}.attn.in_proj_"),
    Linear("vision.blocks.{l}.attention.output", "visual.transformer.resblocks.{l}.attn.out_proj"),
    Norm("vision.blocks.{l}.ln_2", "visual.transformer.resblocks.{l}.ln_2"),
    Linear("vision.blocks.{l}.mlp.in", "visual.transformer.resblocks.{l}.mlp.c_fc"),
    Linear("vision.blocks.{l}.mlp.out", "visual.transformer.resblocks.{l}.mlp.c_proj"),
    Norm("vision.ln_post", "visual.ln_post"),
    Transposed("vision.projection.weight", "visual.proj"),
    Tensor("text.tokens", "token_embedding.weight"),
    Tensor("text.positions", "positional_embedding"),
    Norm("text.blocks.{l}.ln_1", "transformer.resblocks.{l}.ln_1"),
    FusedQkv("text.blocks.{l}.attention", "transformer.resblocks.{l}.attn.in_proj_"),
    Linear("text.blocks.{l}.attention.output", "transformer.resblocks.{l}.attn.out_proj"),
    Norm("text.blocks.{l}.ln_2", "transformer.resblocks.{l}.ln_2"),
    Linear("text.blocks.{l}.mlp.in", "transformer.resblocks.{l}.mlp.c_fc"),
    Linear("text.blocks.{l}.mlp.out", "transformer.resblocks.{l}.mlp.c_proj"),
    Norm("text.ln_final", "ln_final"),
    Transposed("text.projection.weight", "text_projection"),
    Exp("logit_scale", "logit_scale"),
];

/// Hugging Face `BertModel`.
pub(super) const BERT: &[Rule] = &[
    Tensor("text.tokens", "embeddings.word_embeddings.weight"),
    PlusFirstRow(
        "text.positions",
        "embeddings.position_embeddings.weight",
        "embeddings.token_type_embeddings.weight",
    ),
    Norm("text.ln_embed", "embeddings.LayerNorm"),
    Linear("text.blocks.{l}.attention.query", "encoder.layer.{l}.attention.self.query"),
    Linear("text.blocks.{l}.attention.key", "encoder.layer.{l}.attention.self.key"),
    Linear("text.blocks.{l}.attention.value", "encoder.layer.{l}.attention.self.value"),
    Linear("text.blocks.{l}.attention.output", "encoder.layer.{l}.attention.output.dense"),
    Norm("text.blocks.{l}.ln_1", "encoder.layer.{l}.attention.output.LayerNorm"),
    Linear("text.blocks.{l}.mlp.in", "encoder.layer.{l}.intermediate.dense"),
    Linear("text.blocks.{l}.mlp.out", "encoder.layer.{l}.output.dense"),
    Norm("text.blocks.{l}.ln_2", "encoder.layer.{l}.output.LayerNorm"),
];

/// The tensors beside the towers in the default model's alignment file.
pub(super) const ALIGNMENT: &[Rule] = &[Tensor("text.mean", "text_mean"), Tensor("logit_scale", "logit_scale")];
