"""Code that the PyTorch scripts share beside places.py: seeds, random weights and safetensors files."""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from places import path_of

# The wrong GELU must change an output by twenty times the tests' tolerance.
GELU_SHIFT = 2e-3


def save_expected(name, tensors):
    """Writes `<name>.expected.safetensors`: f64 becomes f32, integers keep their type."""
    stored = {key: as_stored(value) for key, value in sorted(tensors.items())}
    save_file(stored, path_of(f"{name}.expected.safetensors"))


def as_stored(value):
    value = torch.as_tensor(value).detach()
    return (value.float() if value.is_floating_point() else value).contiguous().clone()


def save_checkpoint(name, model, extra=None):
    """Writes the model as Hugging Face publishes it: the weights' public names, and config.json."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tensors = load_file(Path(folder) / "model.safetensors")
        config = json.loads((Path(folder) / "config.json").read_text())
    tensors.update(extra or {})
    save_file(dict(sorted(tensors.items())), path_of(f"{name}.safetensors"), metadata={"format": "pt"})
    path_of(f"{name}.config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


# The standard deviation of each parameter, by the end of its name; the first match counts. No parameter keeps a value
# that would hide it (a bias of zero, a gain of one). Queries and keys are large, so that attention is sharp.
SPREADS = [
    ("logit_scale", lambda shape, g: torch.full(shape, 2.3)),
    ("lambda1", lambda shape, g: 0.4 + 0.9 * torch.rand(shape, generator=g)),
    ("bias", lambda shape, g: 0.3 * torch.randn(shape, generator=g)),
    ("norm.weight", lambda shape, g: 1.0 + 0.3 * torch.randn(shape, generator=g)),
    ("positions", lambda shape, g: 0.6 * torch.randn(shape, generator=g)),
    ("tokens", lambda shape, g: 0.8 * torch.randn(shape, generator=g)),
    ("sharp.weight", lambda shape, g: matrix(shape, 1.2, g)),
    ("weight", lambda shape, g: matrix(shape, 1.0, g)),
]


def matrix(shape, gain, g):
    fan_in = int(np.prod(shape[1:]))
    return gain * torch.randn(shape, generator=g) / fan_in**0.5


def kind_of(name):
    """Returns the part of a parameter's name that SPREADS matches."""
    last, owner = name.rsplit(".", 1)[-1], name.rsplit(".", 2)[-2] if "." in name else ""
    if last in ("logit_scale", "lambda1", "bias"):
        return last
    if "norm" in owner.lower() or "layrnorm" in owner:
        return "norm.weight"
    if "position_embedding" in name:
        return "positions"
    if "token" in name or "class_embedding" in name or "word_embeddings" in name:
        return "tokens"
    if owner in ("q_proj", "k_proj", "query", "key"):
        return "sharp.weight"
    return "weight"


@torch.no_grad()
def randomise(model, seed):
    """Makes every parameter random and relevant to the result, in the order of their names."""
    g = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        spread = next(spread for end, spread in SPREADS if kind_of(name) == end)
        parameter.copy_(spread(tuple(parameter.shape), g))
    return model.eval()


def relative(found, expected):
    """Returns the largest |found - expected| / |expected| of all vectors along the last axis."""
    difference = (found - expected).norm(dim=-1)
    return float((difference / expected.norm(dim=-1).clamp_min(1e-30)).max())


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)
