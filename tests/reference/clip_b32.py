"""A CLIP ViT-B/32 in full size with seeded weights. Only the outputs are stored, because Rust draws the same weights.

SplitMix64 draws each tensor from its own seed, the FNV-1a hash of its name. Each value is the sum of three draws, which
makes the values almost normal. The standard deviations are roughly those of trained CLIPs.
"""

import numpy as np
import torch
from transformers import CLIPConfig, CLIPModel

from common import save_expected
from places import check

CHUNK = 1 << 22
TEXTS = [[320], [320, 1125, 539, 320, 2368], [320, 2368, 539, 320, 1125]]
START, END = 49406, 49407


def seed_of(name):
    hash = 0xCBF29CE484222325
    for byte in name.encode():
        hash = ((hash ^ byte) * 0x100000001B3) % 2**64
    return hash


def uniform(seed, first, count):
    """Draws `first` to `first + count` from [-1, 1)."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(first + 1, first + count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)


def drawn(name, shape):
    """Returns values of mean 0 and standard deviation 1."""
    count, seed, parts = int(np.prod(shape)), seed_of(name), []
    for first in range(0, count, CHUNK):
        length = min(CHUNK, count - first)
        parts.append(uniform(seed, 3 * first, 3 * length).reshape(length, 3).sum(1, dtype=np.float32))
    return np.concatenate(parts).reshape(shape)


def values(name, shape):
    if name == "logit_scale":
        return np.full(shape, 4.6, np.float32)
    fan_in = int(np.prod(shape[1:])) or 1
    if "norm" in name or "layrnorm" in name:
        centre, spread = (1.0, 0.2) if name.endswith("weight") else (0.0, 0.1)
    elif name.endswith("bias"):
        centre, spread = 0.0, 0.05
    elif "token_embedding" in name or "class_embedding" in name or "position_embedding" in name:
        centre, spread = 0.0, 0.02
    elif "q_proj" in name or "k_proj" in name:
        centre, spread = 0.0, 1.4 / fan_in**0.5
    else:
        centre, spread = 0.0, 0.8 / fan_in**0.5
    return np.float32(centre) + np.float32(spread) * drawn(name, shape)


@torch.no_grad()
def main():
    model = CLIPModel(CLIPConfig()).eval()
    check(model.config.vision_config.patch_size == 32, "Hugging Face's default is no longer B/32")
    for name, parameter in model.named_parameters():
        parameter.copy_(torch.from_numpy(values(name, tuple(parameter.shape))))
    model = model.double()
    pixels = torch.from_numpy(drawn("pixels", (1, 3, 224, 224))).double()
    image = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)[0]
    texts = []
    for ids in TEXTS:
        ids = torch.tensor([[START, *ids, END]])
        texts.append(model.text_projection(model.text_model(input_ids=ids).pooler_output)[0])
    check(torch.cosine_similarity(texts[1], texts[2], dim=0) < 0.9999, "the order of words has no effect")
    save_expected("clip_b32", {"image": image, "texts": torch.stack(texts)})


if __name__ == "__main__":
    main()
