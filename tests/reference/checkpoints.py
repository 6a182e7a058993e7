"""Small CLIPs of random weights in every published layout and container, with their results.

Three models: Hugging Face's, OpenCLIP's, and OpenAI's as OpenCLIP rebuilds it. Their weights are exact in f16 and in
bf16, so that a model stored in several files and precisions still gives the same results.
"""

import json
import shutil
from pathlib import Path

import open_clip
import torch
from open_clip.openai import build_model_from_openai_state_dict
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

from common import GELU_SHIFT, relative, save_expected
from places import FIXTURES, check

FOLDER = FIXTURES / "checkpoints"
CONTEXT, START, END, VOCABULARY = 12, 62, 63, 64
TEXTS = [[5], [7, 11, 13], [7, 13, 11], [40, 41, 42, 43, 44, 45, 46, 9, 9, 1], []]
IMAGE = 32
HALF = [0.5, 0.5, 0.5]
OPENAI_MEAN = [0.48145466, 0.4578275, 0.40821073]
OPENAI_STD = [0.26862954, 0.26130258, 0.27577711]


@torch.no_grad()
def randomise(model, seed):
    """Makes every parameter random, relevant to the result, and exact in f16 and in bf16."""
    g = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        shape = parameter.shape
        value = torch.randn(shape, generator=g)
        if name == "logit_scale":
            value = torch.tensor(2.3)
        elif "norm" in name or ".ln_" in name or "layrnorm" in name or name.startswith("ln_"):
            value = 0.3 * value + (1.0 if name.endswith("weight") else 0.0)
        elif parameter.ndim >= 2 and "embedding" not in name:
            value = 1.3 * value / shape[1:].numel() ** 0.5
        else:
            value = 0.5 * value
        value[value.abs() < 1e-3] = 0.0
        parameter.copy_(value.bfloat16().float())
    return model.eval()


def hugging_face(act="gelu"):
    tower = dict(hidden_size=16, intermediate_size=64, num_hidden_layers=2, hidden_act=act, projection_dim=12)
    config = CLIPConfig(
        vision_config=dict(**tower, num_attention_heads=2, image_size=IMAGE, patch_size=8),
        text_config=dict(
            **tower,
            num_attention_heads=4,
            vocab_size=VOCABULARY,
            max_position_embeddings=CONTEXT,
            bos_token_id=START,
            eos_token_id=END,
        ),
        projection_dim=12,
    )
    return randomise(CLIPModel(config), 1)


OPEN_CLIP_CONFIG = dict(
    embed_dim=12,
    quick_gelu=True,
    vision_cfg=dict(image_size=IMAGE, layers=2, width=16, head_width=4, patch_size=8),
    text_cfg=dict(context_length=CONTEXT, vocab_size=VOCABULARY, width=16, heads=2, layers=1),
)


def open_clip_model(quick=True):
    config = json.loads(json.dumps(OPEN_CLIP_CONFIG)) | {"quick_gelu": quick}
    return randomise(open_clip.CLIP(**config), 2)


class Module(torch.nn.Module):
    """A module that has only names, for TorchScript to pickle."""

    def forward(self, x):
        return x


def openai():
    """OpenAI's state dict: one layer, with heads of 64 as in OpenAI's code."""
    config = dict(
        embed_dim=24,
        quick_gelu=True,
        vision_cfg=dict(image_size=16, layers=1, width=64, patch_size=4),
        text_cfg=dict(context_length=CONTEXT, vocab_size=VOCABULARY, width=64, heads=1, layers=1),
    )
    state = randomise(open_clip.CLIP(**config), 3).state_dict()
    state.pop("attn_mask", None)
    numbers = dict(input_resolution=16, context_length=CONTEXT, vocab_size=VOCABULARY)
    return state | {name: torch.tensor(number) for name, number in numbers.items()}


def as_script(state):
    """Stores a state dict as attributes of nested TorchScript modules, in f16 as in OpenAI's archives."""
    root = Module()
    for name, value in state.items():
        *path, last = name.split(".")
        module = root
        for part in path:
            if part not in module._modules:
                module.add_module(part, Module())
            module = module._modules[part]
        value = value.half() if value.is_floating_point() else value
        if value.is_floating_point():
            module.register_parameter(last, torch.nn.Parameter(value, requires_grad=False))
        else:
            module.register_buffer(last, value)
    return torch.jit.script(root)


@torch.no_grad()
def outputs(name, image, text, other=None):
    """Returns the unnormalised outputs of both towers in f64. The outputs with the other GELU must differ clearly."""
    g = torch.Generator().manual_seed(7)
    side = 16 if name == "openai" else IMAGE
    pixels = torch.randn(1, 3, side, side, generator=g)
    found = image(pixels.double())[0]
    ids = [[START, *ids, END] for ids in TEXTS]
    texts = torch.stack([text(torch.tensor([row + [0] * (CONTEXT - len(row))]))[0] for row in ids])
    if other:
        check(relative(other(pixels.double())[0], found) > GELU_SHIFT, f"{name}: the other GELU gives the same result")
    return {f"{name}.pixels": pixels[0], f"{name}.image": found, f"{name}.texts": texts}


def write_json(folder, name, value):
    (FOLDER / folder).mkdir(parents=True, exist_ok=True)
    (FOLDER / folder / name).write_text(json.dumps(value, indent=1) + "\n")


def as_view(matrix):
    """Returns the same matrix with its columns stored as rows in memory."""
    return matrix.T.contiguous().T


def hugging_face_files(model):
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    preprocessor = dict(image_mean=HALF, image_std=HALF, resample=3, size={"shortest_edge": IMAGE})
    for folder in ["hf_safetensors", "hf_bin"]:
        config = model.config.to_dict()
        kept = ["hidden_size", "num_hidden_layers", "num_attention_heads", "hidden_act", "image_size", "layer_norm_eps"]
        towers = {tower: {key: config[tower][key] for key in kept if key in config[tower]} for tower in ["vision_config", "text_config"]}
        write_json(folder, "config.json", {"architectures": ["CLIPModel"], "model_type": "clip", **towers})
        write_json(folder, "preprocessor_config.json", preprocessor)
    brief = {name: value.bfloat16() for name, value in state.items()}
    save_file(brief, FOLDER / "hf_safetensors/model.safetensors", metadata={"format": "pt"})
    # Projections as views, and two vectors of one storage, as older conversion scripts stored them.
    halves = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    for name in ["visual_projection.weight", "text_projection.weight"]:
        halves[name] = as_view(halves[name])
    norm = "vision_model.post_layernorm"
    both = torch.stack([halves[f"{norm}.weight"], halves[f"{norm}.bias"]])
    halves[f"{norm}.weight"], halves[f"{norm}.bias"] = both[0], both[1]
    torch.save(halves, FOLDER / "hf_bin/pytorch_model.bin")
    (FOLDER / "hf_legacy").mkdir(exist_ok=True)
    for name in ["config.json", "preprocessor_config.json"]:
        shutil.copy(FOLDER / "hf_bin" / name, FOLDER / "hf_legacy" / name)
    torch.save(halves, FOLDER / "hf_legacy/pytorch_model.bin", _use_new_zipfile_serialization=False)


def open_clip_files(model):
    state = {name: value.contiguous() for name, value in model.state_dict().items() if name != "attn_mask"}
    preprocess = dict(mean=OPENAI_MEAN, std=OPENAI_STD, interpolation="bicubic", resize_mode="shortest")
    config = dict(model_cfg=OPEN_CLIP_CONFIG, preprocess_cfg=preprocess)
    for folder in ["open_clip", "open_clip_training", "open_clip_custom_text", "tinyclip"]:
        write_json(folder, "open_clip_config.json", config)
    save_file({k: v.half() for k, v in state.items()}, FOLDER / "open_clip/open_clip_model.safetensors")

    # A checkpoint of a training run: wrapped for several GPUs, with the optimiser's moments beside the model.
    moments = {0: dict(step=torch.tensor(3.0), exp_avg=torch.zeros(4), exp_avg_sq=torch.zeros(4))}
    training = dict(
        epoch=3,
        name="small",
        state_dict={f"module.{name}": value.bfloat16() for name, value in state.items()},
        optimizer=dict(state=moments, param_groups=[dict(lr=5e-4, betas=(0.9, 0.98), params=[0])]),
    )
    torch.save(training, FOLDER / "open_clip_training/epoch_3.pt")

    # CustomTextCLIP: the text tower's names begin with `text.`
    custom = {
        name if name.startswith("visual.") or name == "logit_scale" else f"text.{name}": value.half()
        for name, value in state.items()
    }
    torch.save(custom, FOLDER / "open_clip_custom_text/open_clip_pytorch_model.bin")

    def tiny(name):
        if name == "logit_scale":
            return "_logit_scale.module.logit_scale"
        return f"_{'image' if name.startswith('visual.') else 'text'}_encoder.module.{name}"

    torch.save({"state_dict": {tiny(name): value.half() for name, value in state.items()}}, FOLDER / "tinyclip/tiny.pt")


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    expected = {}

    model, other = hugging_face(), hugging_face("quick_gelu")
    hugging_face_files(model)
    image = lambda model: lambda x: model.visual_projection(model.vision_model(pixel_values=x).pooler_output)
    text = lambda ids: model.text_projection(model.text_model(input_ids=ids).pooler_output)
    model, other = model.double(), other.double()
    expected |= outputs("hf", image(model), text, image(other))

    model, other = open_clip_model(), open_clip_model(quick=False)
    open_clip_files(model)
    model, other = model.double(), other.double()
    expected |= outputs("open_clip", model.encode_image, model.encode_text, other.encode_image)

    state = openai()
    (FOLDER / "openai").mkdir()
    torch.jit.save(as_script(state), str(FOLDER / "openai/ViT-S-4.pt"))
    rebuilt = build_model_from_openai_state_dict(dict(state), cast_dtype=torch.float32).double()
    expected |= outputs("openai", rebuilt.encode_image, rebuilt.encode_text)

    longest = max(len(text) for text in TEXTS) + 2
    ids = torch.full((len(TEXTS), longest), -1, dtype=torch.int64)
    for row, text in enumerate(TEXTS):
        ids[row, : len(text) + 2] = torch.tensor([START, *text, END])
    save_expected("checkpoints/all", expected | {"ids": ids})
    total = sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file())
    check(total < 640_000, f"the fixtures take {total} bytes")
    print(f"{total} bytes")


if __name__ == "__main__":
    main()
