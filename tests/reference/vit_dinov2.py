"""Hugging Face's Dinov2 and Dinov2WithRegisters, each with a linear head."""

import torch
from torch import nn
from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from common import GELU_SHIFT, randomise, relative, save_checkpoint, save_expected
from places import check
from vision import Tower, check_telling, components

WIDTH, HEADS, LAYERS, PATCH, IMAGE, EMBEDDING = 24, 3, 3, 4, 28, 16
SIZES = {"native": (28, 28), "square": (20, 20), "wide": (16, 36)}


def tower_of(model, projection, registers=0):
    def run(pixels):
        return projection(model(pixel_values=pixels).last_hidden_state[0, 0])

    return Tower(
        run=run,
        layers=list(model.encoder.layer),
        attention=lambda layer: layer.attention,
        value=lambda layer: layer.attention.v_proj,
        output=lambda layer: layer.attention.o_proj,
        attention_end=lambda layer: layer.layer_scale1,
        mlp_end=lambda layer: layer.layer_scale2,
        scale=lambda layer, x: layer.layer_scale1(x),
        norm=model.layernorm,
        project=lambda x: x @ projection.weight.T,
        bias=projection.bias,
        heads=model.config.num_attention_heads,
        leading=1 + registers,
    )


def build(config_class, model_class, seed, act="gelu", **more):
    config = config_class(
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        image_size=IMAGE,
        patch_size=PATCH,
        hidden_act=act,
        attn_implementation="eager",
        **more,
    )
    model = randomise(model_class(config), seed)
    projection = randomise(nn.ModuleDict({"projection": nn.Linear(WIDTH, EMBEDDING)}), seed + 1)["projection"]
    return model, projection


def make(name, config_class, model_class, seed, registers=0, **more):
    model, projection = build(config_class, model_class, seed, **more)
    head = {f"projection.{key}": value for key, value in projection.state_dict().items()}
    save_checkpoint(name, model, head)
    other, other_projection = build(config_class, model_class, seed, act="quick_gelu", **more)
    tower = tower_of(model.double(), projection.double(), registers)
    quick = tower_of(other.double(), other_projection.double(), registers)
    g = torch.Generator().manual_seed(seed + 2)
    expected = {}
    for label, (height, width) in SIZES.items():
        pixels = torch.randn(1, 3, height, width, generator=g)
        result = components(tower, pixels.double())
        check_telling(f"{name} {label}", result, 1 + registers)
        shift = relative(components(quick, pixels.double())["unit"], result["unit"])
        check(shift > GELU_SHIFT, f"{name} {label}: QuickGELU changes the embedding by only {shift}")
        expected.update({f"{label}.{key}": value for key, value in result.items()})
        expected[f"{label}.pixels"] = pixels[0]
    save_expected(name, expected)


def main():
    make("vit_dinov2", Dinov2Config, Dinov2Model, 100)
    make(
        "vit_dinov2_registers",
        Dinov2WithRegistersConfig,
        Dinov2WithRegistersModel,
        200,
        registers=2,
        num_register_tokens=2,
    )


if __name__ == "__main__":
    main()
