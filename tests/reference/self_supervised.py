"""Small self-supervised vision transformers of random weights, in every published layout, with their
results for crops of several grids.

The transformer below runs DINO's, DoRA's and DINOv2's own layouts. It is written from docs/PAPERS.md and the published
architecture. timm and `transformers` run timm's and Hugging Face's layouts. Weights are exact in f16.
"""

import argparse
import json
import math
import shutil
import tempfile
from pathlib import Path

import timm
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn

from common import GELU_SHIFT, relative, save_expected
from places import FIXTURES, check

FOLDER = FIXTURES / "self_supervised"
WIDTH, HEADS, LAYERS, PATCH, IMAGE, REGISTERS = 16, 2, 2, 4, 20, 3
# Rows and columns of pixels: the model's own grid, a larger square, a rectangle.
SIZES = {"native": (20, 20), "square": (28, 28), "wide": (16, 36)}


class Block(nn.Module):
    def __init__(self, scaled):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6), nn.LayerNorm(WIDTH, eps=1e-6)
        self.attn = nn.Module()
        self.attn.qkv, self.attn.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Module()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        for name in ["ls1", "ls2"] if scaled else []:
            scale = nn.Module()
            scale.gamma = nn.Parameter(torch.ones(WIDTH))
            self.add_module(name, scale)

    def scaled(self, name, x):
        return x * getattr(self, name).gamma if hasattr(self, name) else x

    def qkv(self, x):
        """Returns queries, keys and values, each [head, token, head width]."""
        split = self.attn.qkv(self.norm1(x)).reshape(len(x), 3, HEADS, WIDTH // HEADS)
        return split.permute(1, 2, 0, 3)

    def forward(self, x):
        q, k, v = self.qkv(x)
        attention = (q @ k.transpose(1, 2) / math.sqrt(WIDTH // HEADS)).softmax(-1)
        x = x + self.scaled("ls1", self.attn.proj((attention @ v).transpose(0, 1).reshape(len(x), WIDTH)))
        hidden = self.mlp.fc1(self.norm2(x))
        hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
        return x + self.scaled("ls2", self.mlp.fc2(hidden)), attention


class Vit(nn.Module):
    """The vision transformer of DINO and DINOv2, with their names."""

    def __init__(self, v2=False, registers=0):
        super().__init__()
        side = IMAGE // PATCH
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + side * side, WIDTH))
        if registers:
            self.register_tokens = nn.Parameter(torch.zeros(1, registers, WIDTH))
        if v2:
            self.mask_token = nn.Parameter(torch.zeros(1, WIDTH))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.blocks = nn.ModuleList(Block(v2) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        # DINOv2 with registers resizes its positions to a size with antialiasing. The others resize by a scale with
        # 0.1 added.
        self.resize = "antialias" if registers else "scale"

    def positions(self, rows, columns):
        side = IMAGE // PATCH
        if (rows, columns) == (side, side):
            return self.pos_embed[0]
        table = self.pos_embed[:, 1:].reshape(1, side, side, WIDTH).permute(0, 3, 1, 2)
        how = {
            "scale": dict(scale_factor=((rows + 0.1) / side, (columns + 0.1) / side)),
            "size": dict(size=(rows, columns)),
            "antialias": dict(size=(rows, columns), antialias=True),
        }[self.resize]
        table = nn.functional.interpolate(table, mode="bicubic", **how)
        check(table.shape[2:] == (rows, columns), "the table has another size")
        return torch.cat([self.pos_embed[0, :1], table[0].permute(1, 2, 0).reshape(-1, WIDTH)])

    def forward(self, pixels):
        """Returns the tokens after the final norm, and the last block's queries, keys and attention."""
        patches = self.patch_embed.proj(pixels[None])[0]
        _, rows, columns = patches.shape
        x = torch.cat([self.cls_token[0], patches.flatten(1).T]) + self.positions(rows, columns)
        if hasattr(self, "register_tokens"):
            x = torch.cat([x[:1], self.register_tokens[0], x[1:]])
        for block in self.blocks:
            q, k, _ = block.qkv(x)
            x, attention = block(x)
        return self.norm(x), q, k, attention


@torch.no_grad()
def randomise(model, seed):
    """Makes every parameter random, relevant to the result, and exact in f16."""
    g = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        value = torch.randn(parameter.shape, generator=g)
        if "norm" in name and name.endswith("weight"):
            value = 1.0 + 0.3 * value
        elif "gamma" in name or "lambda" in name:
            value = 0.7 + 0.3 * value
        elif name.endswith("bias"):
            value = 0.3 * value
        elif "token" in name or "pos" in name:
            value = 0.7 * value
        else:
            sharp = 2.0 if any(part in name for part in ["qkv", "query", "key"]) else 1.0
            value = sharp * value / parameter.shape[1:].numel() ** 0.5
        parameter.copy_(value.half().float())
    return model.eval()


def heads_of(x):
    """[1, token, width] to [head, token, head width]."""
    return x[0].reshape(x.shape[1], HEADS, WIDTH // HEADS).transpose(0, 1)


def by_hooks(model, forward, qk):
    """Runs another library's model; `qk` gives the last block's query and key layers, or one for both."""

    def run(pixels):
        seen = {}
        handles = [
            layer.register_forward_hook(lambda _m, _i, output, name=name: seen.__setitem__(name, output))
            for name, layer in qk.items()
        ]
        tokens = forward(pixels[None])[0]
        for handle in handles:
            handle.remove()
        if "qkv" in seen:
            seen["q"], seen["k"], _ = seen["qkv"].chunk(3, dim=-1)
        q, k = heads_of(seen["q"]), heads_of(seen["k"])
        return tokens, q, k, (q @ k.transpose(1, 2) / math.sqrt(WIDTH // HEADS)).softmax(-1)

    return run


def timm_model(**options):
    model = timm.models.vision_transformer.VisionTransformer(
        img_size=IMAGE, patch_size=PATCH, embed_dim=WIDTH, depth=LAYERS, num_heads=HEADS, num_classes=0,
        dynamic_img_size=True, **options,
    )
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False
    return model


def hugging_face(kind, **options):
    common = dict(
        hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, image_size=IMAGE, patch_size=PATCH
    )
    config, model = getattr(transformers, f"{kind}Config"), getattr(transformers, f"{kind}Model")
    return model(config(**common, **options))


def published(model):
    """Returns the weights with the names of the hub's files, which differ from the names in memory."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return load_file(Path(folder) / "model.safetensors")


@torch.no_grad()
def outputs(name, run, leading, pixels):
    found = {}
    for size, crop in pixels.items():
        tokens, q, k, attention = run(crop)
        patches = lambda x: x[:, leading:].transpose(0, 1).reshape(-1, WIDTH)
        found |= {
            f"{name}.{size}.tokens": tokens,
            f"{name}.{size}.attention": attention[:, 0],
            f"{name}.{size}.queries": patches(q),
            f"{name}.{size}.keys": patches(k),
        }
    return found


def is_telling(name, model, pixels):
    """The other methods to resize positions must change the result at sizes where they differ."""
    run = lambda: {size: model(crop)[0][:1] for size, crop in pixels.items()}
    resize, right = model.resize, run()
    for other in {"scale", "size", "antialias"} - {resize}:
        model.resize = other
        wrong = run()
        for size in ["square", "wide"]:
            # Antialiasing has an effect only if a table shrinks.
            if {resize, other} == {"size", "antialias"} and size == "square":
                continue
            check(relative(wrong[size], right[size]) > GELU_SHIFT, f"{name}, {size}: {other} gives the same result")
    model.resize = resize


def half(state):
    return {name: value.half().contiguous() for name, value in state.items()}


def folder(name):
    path = FOLDER / name
    path.mkdir(parents=True)
    return path


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def training_run(teacher, student):
    """A checkpoint of DINO's training: student and teacher with their heads, and everything else in the file."""
    head = lambda seed: {
        "head.mlp.0.weight": torch.randn(8, WIDTH, generator=torch.Generator().manual_seed(seed)),
        "head.last_layer.weight_g": torch.ones(8, 1),
    }
    under = lambda prefix, state: {f"{prefix}{name}": value for name, value in state.items()}
    backbone = lambda model: under("backbone.", model.state_dict())
    moments = {0: dict(step=torch.tensor(3.0), exp_avg=torch.zeros(4), exp_avg_sq=torch.zeros(4))}
    return dict(
        student=under("module.", backbone(student) | head(1)),
        teacher=backbone(teacher) | head(2),
        optimizer=dict(state=moments, param_groups=[dict(lr=5e-4, betas=(0.9, 0.999), params=[0])]),
        epoch=100,
        args=argparse.Namespace(arch="vit_small", patch_size=PATCH, out_dim=8),
        fp16_scaler=dict(scale=65536.0),
        dino_loss=dict(center=torch.zeros(1, 8)),
    )


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    g = torch.Generator().manual_seed(11)
    pixels = {size: torch.randn(3, *shape, generator=g).half().float() for size, shape in SIZES.items()}
    expected = {f"{size}.pixels": crop for size, crop in pixels.items()}
    pixels = {size: crop.double() for size, crop in pixels.items()}

    dino, other = randomise(Vit(), 1), randomise(Vit(), 2)
    torch.save(training_run(dino, other), folder("dino_training") / "checkpoint0100.pth")
    torch.save(half(dino.state_dict()), folder("dino") / "dino_pretrain.pth", _use_new_zipfile_serialization=False)
    dora = {f"module.backbone.{name}": value for name, value in half(dino.state_dict()).items()}
    torch.save(dict(teacher=dora), folder("dora") / "wt_venice.pth")
    v2, registers = randomise(Vit(v2=True), 3), randomise(Vit(v2=True, registers=REGISTERS), 4)
    torch.save(half(v2.state_dict()), folder("dinov2") / "dinov2_pretrain.pth")
    torch.save(half(registers.state_dict()), folder("dinov2_registers") / "dinov2_reg_pretrain.pth")
    for name, model, leading in [("dino", dino, 1), ("dinov2", v2, 1), ("dinov2_registers", registers, 1 + REGISTERS)]:
        model = model.double()
        with torch.no_grad():
            is_telling(name, model, pixels)
        expected |= outputs(name, model, leading, pixels)

    prepared = dict(mean=[0.4, 0.5, 0.6], std=[0.2, 0.3, 0.25], interpolation="bicubic")
    timms = [
        ("timm", {}, 0),
        ("timm_registers", dict(init_values=1e-5, reg_tokens=REGISTERS, no_embed_class=True), REGISTERS),
    ]
    for name, options, count in timms:
        model = randomise(timm_model(**options), 5)
        path = folder(name)
        save_file(half(model.state_dict()), path / "model.safetensors")
        write_json(path / "config.json", dict(architecture=name, global_pool="token", pretrained_cfg=prepared))
        model = model.double()
        run = by_hooks(model, model.forward_features, {"qkv": model.blocks[-1].attn.qkv})
        expected |= outputs(name, run, 1 + count, pixels)

    preprocessor = dict(image_mean=[0.5] * 3, image_std=[0.25] * 3, resample=3)
    kinds = [
        ("hf_vit", hugging_face("ViT", intermediate_size=4 * WIDTH), 0),
        ("hf_dinov2", hugging_face("Dinov2"), 0),
        ("hf_dinov2_registers", hugging_face("Dinov2WithRegisters", num_register_tokens=REGISTERS), REGISTERS),
    ]
    for seed, (name, model, count) in enumerate(kinds):
        model = randomise(model, 6 + seed)
        path = folder(name)
        state = half(published(model))
        if name == "hf_vit":
            torch.save(state, path / "pytorch_model.bin")
        else:
            save_file(state, path / "model.safetensors", metadata={"format": "pt"})
        kept = ["model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "hidden_act", "image_size"]
        write_json(path / "config.json", {key: model.config.to_dict()[key] for key in [*kept, "layer_norm_eps"]})
        crop = dict(do_center_crop=True, crop_size=dict(height=18, width=18)) if name == "hf_dinov2" else {}
        write_json(path / "preprocessor_config.json", preprocessor | crop)
        model = model.double()
        layers = model.layers if hasattr(model, "layers") else model.encoder.layer
        attention = layers[-1].attention
        attention = getattr(attention, "attention", attention)
        names = {"q": "query", "k": "key"} if hasattr(attention, "query") else {"q": "q_proj", "k": "k_proj"}
        options = dict(interpolate_pos_encoding=True) if name == "hf_vit" else {}
        forward = lambda x, model=model, options=options: model(x, **options).last_hidden_state
        run = by_hooks(model, forward, {key: getattr(attention, part) for key, part in names.items()})
        expected |= outputs(name, run, 1 + count, pixels)

    save_expected("self_supervised/all", expected)
    total = sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file())
    check(total < 640_000, f"the fixtures take {total} bytes")
    print(f"{total} bytes")


if __name__ == "__main__":
    main()
