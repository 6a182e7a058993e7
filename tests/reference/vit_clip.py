"""Hugging Face's CLIP: the image tower's components, and the text tower's embeddings."""

import torch
from transformers import CLIPConfig, CLIPModel

from common import GELU_SHIFT, randomise, relative, save_checkpoint, save_expected, unit
from places import check
from vision import Tower, check_telling, components

HEADS, CONTEXT, START, END = 3, 16, 62, 63
SIZES = {"native": (28, 28), "square": (20, 20), "wide": (16, 36)}
TEXTS = [[5], [7, 11, 13], [7, 13, 11], [40, 41, 42, 43, 44, 45, 46], [9, 9, 9, 2], list(range(10, 24)), [], [61, 1]]
SEED = 300


def build(act="quick_gelu"):
    config = CLIPConfig(
        vision_config=dict(
            hidden_size=24,
            intermediate_size=96,
            num_hidden_layers=3,
            num_attention_heads=HEADS,
            image_size=28,
            patch_size=4,
            hidden_act=act,
            projection_dim=16,
        ),
        text_config=dict(
            hidden_size=20,
            intermediate_size=80,
            num_hidden_layers=3,
            num_attention_heads=2,
            vocab_size=64,
            max_position_embeddings=CONTEXT,
            bos_token_id=START,
            eos_token_id=END,
            hidden_act=act,
            projection_dim=16,
        ),
        projection_dim=16,
        attn_implementation="eager",
    )
    return randomise(CLIPModel(config), SEED)


def tower_of(model):
    vision = model.vision_model

    def run(pixels):
        pooled = vision(pixel_values=pixels, interpolate_pos_encoding=True).pooler_output
        return model.visual_projection(pooled)[0]

    return Tower(
        run=run,
        layers=list(vision.encoder.layers),
        attention=lambda layer: layer.self_attn,
        value=lambda layer: layer.self_attn.v_proj,
        output=lambda layer: layer.self_attn.out_proj,
        attention_end=lambda layer: layer.self_attn,
        mlp_end=lambda layer: layer.mlp,
        scale=lambda _layer, x: x,
        norm=vision.post_layernorm,
        project=model.visual_projection,
        bias=None,
        heads=HEADS,
        leading=1,
    )


@torch.no_grad()
def embed_texts(model):
    """Returns unnormalised text embeddings, each text at its own length. Padding must not change the embeddings."""
    embeddings = []
    for text in TEXTS:
        ids = [START, *text, END]
        embed = lambda ids: model.text_projection(model.text_model(input_ids=torch.tensor([ids])).pooler_output)[0]
        alone, padded = embed(ids), embed(ids + [END] * (CONTEXT - len(ids)))
        check(relative(padded, alone) < 1e-6, "padding changes a text's embedding")
        embeddings.append(alone)
    return torch.stack(embeddings)


def main():
    model, other = build(), build(act="gelu")
    save_checkpoint("vit_clip", model)
    model, other = model.double(), other.double()
    g = torch.Generator().manual_seed(SEED + 2)
    expected = {}
    for label, (height, width) in SIZES.items():
        pixels = torch.randn(1, 3, height, width, generator=g)
        result = components(tower_of(model), pixels.double())
        check_telling(f"vit_clip {label}", result, 1)
        shift = relative(components(tower_of(other), pixels.double())["unit"], result["unit"])
        check(shift > GELU_SHIFT, f"vit_clip {label}: the exact GELU changes the embedding by only {shift}")
        expected.update({f"{label}.{key}": value for key, value in result.items()})
        expected[f"{label}.pixels"] = pixels[0]

    texts = embed_texts(model)
    shift = relative(embed_texts(other), texts)
    check(shift > GELU_SHIFT, f"vit_clip: the exact GELU changes the texts by only {shift}")
    check(relative(unit(texts[1:2]), unit(texts[2:3])) > 0.1, "vit_clip: swapping two tokens would not be detected")
    longest = max(len(text) for text in TEXTS) + 2
    ids = torch.full((len(TEXTS), longest), -1, dtype=torch.int64)
    for row, text in enumerate(TEXTS):
        ids[row, : len(text) + 2] = torch.tensor([START, *text, END])
    expected.update({"text.ids": ids, "text.embedding": texts, "text.unit": unit(texts)})
    expected["logit_scale"] = model.logit_scale.exp().reshape(1)
    save_expected("vit_clip", expected)


if __name__ == "__main__":
    main()
