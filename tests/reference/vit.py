"""A vision transformer in NumPy, run from a pack: every component of its embedding, in f64.

Written from the formulas of docs/PAPERS.md (1.1 and 1.2) and the layout in `checkpoint/pack/`. No deep-learning
library is needed.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from places import check
from segment import centre_crop


@dataclass
class Layer:
    query: np.ndarray  # [head, token, head width]
    key: np.ndarray
    attention: np.ndarray  # [head, token, token]
    tokens: np.ndarray  # the contribution of each token to CLS through each head, without bias: [head, token, width]
    mlp: np.ndarray  # the contribution of the MLP to CLS [width]


@dataclass
class Run:
    """One picture's activations in the model."""

    embedded: np.ndarray  # z0 [width]
    layers: list
    mean: float  # mu, sigma and |M| of the final norm and the embedding
    deviation: float
    norm: float
    unit: np.ndarray  # the unit embedding [d]


class Vit:
    def __init__(self, folder):
        folder = Path(folder)
        self.config = json.loads((folder / "pack.json").read_text())["model"]["vision"]
        self.weights = dequantised(load_file(folder / "weights.safetensors"))
        self.patch, self.heads = self.config["patch"], self.config["heads"]
        self.layers, self.leading = self.config["layers"], 1 + self.config["registers"]
        self.components = 2 * self.layers + 1
        self.side = self.config["image_size"] // self.patch
        self.projection = self.weights["vision.projection.weight"]
        check(self.config["position_resize"] == "size", "positions are resized by another method")

    def of(self, name):
        return self.weights[f"vision.{name}"]

    # --- from the photo to the tokens -------------------------------------------------------------------------

    def crop(self, photo):
        """Pillow's bicubic, the centre, the model's mean and deviation: [3, size, size]."""
        size = self.config["image_size"]
        frame = centre_crop(photo.size, size)
        resized = photo if frame.resized == photo.size else photo.resize(frame.resized, Image.Resampling.BICUBIC)
        left, top = frame.offset
        pixels = np.asarray(resized.crop((left, top, left + size, top + size)), dtype=np.float64) / 255
        normal = (pixels - self.config["mean"]) / self.config["std"]
        return frame, normal.transpose(2, 0, 1)

    def tokens(self, crop):
        """Returns CLS, registers and patches after the norm before the first layer."""
        patch = self.patch
        rows, columns = crop.shape[1] // patch, crop.shape[2] // patch
        cut = crop.reshape(3, rows, patch, columns, patch).transpose(1, 3, 0, 2, 4).reshape(rows * columns, -1)
        patches = cut @ self.of("patch.weight").T + self.of("patch.bias")
        stream = np.vstack([self.of("class_token"), patches]) + self.positions(rows, columns)
        if self.leading > 1:
            stream = np.vstack([stream[:1], self.of("registers"), stream[1:]])
        return layer_norm(stream, self.of("ln_pre.gamma"), self.of("ln_pre.beta"), self.config["eps"])

    def positions(self, rows, columns):
        grid = self.config["position_grid"]
        table = self.of("positions")
        down, across = torch_bicubic(grid["rows"], rows), torch_bicubic(grid["columns"], columns)
        patches = table[1:].reshape(grid["rows"], grid["columns"], -1)
        resized = np.einsum("yr,xc,rcw->yxw", down, across, patches)
        return np.vstack([table[:1], resized.reshape(rows * columns, -1)])

    # --- through the layers -------------------------------------------------------------------------------------

    def run(self, crop):
        stream = self.tokens(crop)
        embedded, layers = stream[0], []
        for index in range(self.layers):
            stream, layer = self.block(index, stream)
            layers.append(layer)
        cls = stream[0]
        mean, deviation = cls.mean(), np.sqrt(cls.var() + self.config["eps"])
        normed = self.of("ln_post.gamma") * (cls - mean) / deviation + self.of("ln_post.beta")
        whole = self.projection @ normed + self.of("projection.bias")
        norm = np.linalg.norm(whole)
        run = Run(embedded, layers, mean, deviation, norm, whole / norm)
        apart = np.abs(sum(self.each_component(run)) - run.unit).max()
        check(apart < 1e-12, f"the components do not sum to the embedding: {apart}")
        return run

    def features(self, crop):
        """For the patches: the last block's CLS attention, queries and keys, and the tokens after the final norm."""
        stream = self.tokens(crop)
        for index in range(self.layers):
            stream, last = self.block(index, stream)
        side_by_side = lambda heads: heads[:, self.leading :].transpose(1, 0, 2).reshape(len(stream) - self.leading, -1)
        tokens = layer_norm(stream, self.of("ln_post.gamma"), self.of("ln_post.beta"), self.config["eps"])
        attention = last.attention[:, 0, self.leading :]
        return {
            "attention": attention,
            "queries": side_by_side(last.query),
            "keys": side_by_side(last.key),
            "tokens": tokens[self.leading :],
        }

    def tokens_after(self, crop, layer):
        """For the patches: the tokens after a block before the last, each normalised without scale and shift."""
        stream = self.tokens(crop)
        for index in range(layer + 1):
            stream, _ = self.block(index, stream)
        return layer_norm(stream[self.leading :], 1, 0, self.config["eps"])

    def block(self, index, stream):
        of = lambda part: self.of(f"blocks.{index}.{part}")
        eps, heads = self.config["eps"], self.heads
        normed = layer_norm(stream, of("ln_1.gamma"), of("ln_1.beta"), eps)
        split = lambda part: (normed @ of(f"attention.{part}.weight").T + of(f"attention.{part}.bias")).reshape(
            len(stream), heads, -1
        )
        query, key, value = (split(part).transpose(1, 0, 2) for part in ("query", "key", "value"))
        attention = softmax(query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1]))
        output = of("attention.output.weight").reshape(-1, heads, query.shape[-1])
        written = np.einsum("hts,hsv,whv->tw", attention, value, output)
        tokens = np.einsum("hs,hsv,whv->hsw", attention[:, 0], value, output)
        stream = stream + written + of("attention.output.bias")
        hidden = layer_norm(stream, of("ln_2.gamma"), of("ln_2.beta"), eps) @ of("mlp.in.weight").T + of("mlp.in.bias")
        check(self.config["activation"] == "quick_gelu", "another activation")
        mlp = (hidden / (1 + np.exp(-1.702 * hidden))) @ of("mlp.out.weight").T + of("mlp.out.bias")
        return stream + mlp, Layer(query, key, attention, tokens, mlp[0])

    # --- components -----------------------------------------------------------------------------------------------

    def fold(self, run, written, share):
        """Maps a contribution to the residual stream into the shared space (docs/PAPERS.md, 1.2)."""
        gamma, beta = self.of("ln_post.gamma"), self.of("ln_post.beta")
        share = share / self.components
        normed = gamma * (written - run.mean * share) / run.deviation + beta * share
        return (normed @ self.projection.T + self.of("projection.bias") * share) / run.norm

    def head_tokens(self, run, layer):
        """Returns every head's contribution for every token: [head, token, d]."""
        tokens = run.layers[layer].tokens
        count = tokens.shape[0] * tokens.shape[1]
        return self.fold(run, tokens + self.of(f"blocks.{layer}.attention.output.bias") / count, 1 / count)

    def heads_of(self, run):
        """[layer, head, d]"""
        return np.stack([self.head_tokens(run, layer).sum(1) for layer in range(self.layers)])

    def cls_to_cls(self, run):
        """[layer, head, d]"""
        return np.stack([self.head_tokens(run, layer)[:, 0] for layer in range(self.layers)])

    def mlps_of(self, run):
        return np.stack([self.fold(run, layer.mlp, 1) for layer in run.layers])

    def z0(self, run):
        return self.fold(run, run.embedded, 1)

    def each_component(self, run):
        return [*self.heads_of(run).reshape(-1, len(run.unit)), *self.mlps_of(run), self.z0(run)]

    def basis(self, layer, head):
        """Returns B of a head: [d, head width + 3] (docs/PAPERS.md, 1.8)."""
        gamma, beta = self.of("ln_post.gamma"), self.of("ln_post.beta")
        output = self.of(f"blocks.{layer}.attention.output.weight").reshape(len(gamma), self.heads, -1)[:, head]
        bias, count = self.of(f"blocks.{layer}.attention.output.bias"), self.components * self.heads
        columns = np.column_stack([gamma[:, None] * output, gamma * bias / self.heads, -gamma / count])
        constant = (self.projection @ beta + self.of("projection.bias")) / count
        return np.column_stack([self.projection @ columns, constant])


# --- arithmetic that NumPy does not have ------------------------------------------------------------------------


def dequantised(tensors):
    """Returns int8 rows, which have a scale for each block of columns, as f64. f32 values are not scaled."""
    whole = {}
    for name, values in tensors.items():
        if name.endswith(".scale") and values.dtype == np.float16:
            continue
        if values.dtype == np.int8:
            scales = tensors[f"{name}.scale"].astype(np.float32)
            blocks = values.reshape(len(values), scales.shape[1], -1).astype(np.float32)
            values = (blocks * scales[:, :, None]).reshape(values.shape)
        whole[name] = values.astype(np.float64)
    return whole


def layer_norm(x, gamma, beta, eps):
    centred = x - x.mean(-1, keepdims=True)
    return gamma * centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + eps) + beta


def softmax(x):
    weights = np.exp(x - x.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def torch_bicubic(count, to):
    """Weights of torch's bicubic (a = -0.75, align_corners false, edges held), [to, count]."""
    weights = np.zeros((to, count))
    for index in range(to):
        place = (index + 0.5) * count / to - 0.5
        for sample in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            weights[index, min(max(sample, 0), count - 1)] += cubic(place - sample)
    return weights


def cubic(x, a=-0.75):
    x = abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0
