"""Every component of a vision transformer's embedding, read by hooks from the running model.

The contribution of a head for one token: only that token's part of the attention context goes through the model's own
output layer (and LayerScale). No weight is sliced or folded here. The final norm and the projection are applied as in
docs/PAPERS.md, 1.2.
"""

from dataclasses import dataclass
from typing import Callable

import torch

from common import relative
from places import check


@dataclass
class Tower:
    """The modules of a model that the decomposition needs."""

    run: Callable  # pixels [1, 3, h, w] -> the model's own unnormalised embedding [d]
    layers: list
    attention: Callable  # layer -> module returning (output, probabilities)
    value: Callable  # layer -> the value projection
    output: Callable  # layer -> the output projection
    attention_end: Callable  # layer -> the module whose output joins the residual stream
    mlp_end: Callable
    scale: Callable  # layer, x -> x after LayerScale, if the model has one
    norm: torch.nn.LayerNorm
    project: Callable  # [.., width] -> [.., d], without bias
    bias: torch.Tensor | None
    heads: int
    leading: int  # CLS and registers


class Recording:
    """The tensors of one run, recorded by hooks."""

    def __init__(self, tower):
        self.tower = tower
        self.seen = {}
        self.handles = []

    def __enter__(self):
        tower = self.tower
        for index, layer in enumerate(tower.layers):
            self.keep(tower.attention(layer), ("attention", index), lambda out: out[1])
            self.keep(tower.value(layer), ("value", index))
            self.keep(tower.attention_end(layer), ("attended", index), lambda out: out[0] if isinstance(out, tuple) else out)
            self.keep(tower.mlp_end(layer), ("mlp", index))
        self.keep_input(tower.layers[0], "embedded")
        self.keep_input(tower.norm, "final")
        self.handles.append(tower.layers[-1].register_forward_hook(self.last))
        return self

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()

    def last(self, _module, _args, out):
        self.seen["stream"] = out[0] if isinstance(out, tuple) else out

    def keep(self, module, key, pick=lambda out: out):
        self.handles.append(module.register_forward_hook(lambda _m, _a, out: self.seen.__setitem__(key, pick(out))))

    def keep_input(self, module, key):
        def hook(_module, args, kwargs):
            self.seen.setdefault(key, args[0] if args else kwargs["hidden_states"])

        self.handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))


@torch.no_grad()
def components(tower, pixels):
    """Runs the tower once. Returns all contributions c of docs/PAPERS.md, 1.2, by name, and intermediate results."""
    with Recording(tower) as recording:
        embedding = tower.run(pixels)
    seen = recording.seen
    cls = seen["stream"][0, 0]
    layers, heads, tokens = len(tower.layers), tower.heads, seen["stream"].shape[1]
    count = 2 * layers + 1
    norm = embedding.norm()
    mean, sigma = cls.mean(), (cls.var(correction=0) + tower.norm.eps).sqrt()

    def fold(x, share):
        normed = tower.norm.weight * (x - mean * share) / sigma + tower.norm.bias * share
        projected = tower.project(normed)
        return (projected if tower.bias is None else projected + tower.bias * share) / norm

    written = [written_by_tokens(tower, seen, index) for index in range(layers)]
    for index, x in enumerate(written):
        total = seen["attended", index][0, 0]
        check(relative(x.sum((0, 1)), total) < 1e-6, f"layer {index}: heads and tokens do not sum to the attention")
    result = {
        "embedding": embedding,
        "unit": embedding / norm,
        "norm": norm.reshape(1),
        "embedded_cls": seen["embedded"][0, 0],
        "final_cls": cls,
        "attention": torch.stack([seen["attention", index][0, :, 0] for index in range(layers)]),
        "mlp_outputs": torch.stack([seen["mlp", index][0, 0] for index in range(layers)]),
        "component.tokens": torch.stack([fold(x, 1 / (count * tokens * heads)) for x in written]),
        "component.mlps": torch.stack([fold(seen["mlp", index][0, 0], 1 / count) for index in range(layers)]),
        "component.embedded": fold(seen["embedded"][0, 0], 1 / count),
        "patches": tower.norm(seen["stream"])[0, tower.leading :],
    }
    total = (
        result["component.tokens"].sum((0, 1, 2)) + result["component.mlps"].sum(0) + result["component.embedded"]
    )
    gap = float((total - result["unit"]).abs().max())
    check(gap < 1e-6, f"the components' sum differs from the embedding by {gap}")
    return result


def written_by_tokens(tower, seen, index):
    """x[h, i] of one layer, `[heads, tokens, width]`."""
    layer = tower.layers[index]
    attention, value = seen["attention", index][0, :, 0], seen["value", index][0]
    tokens, width = value.shape
    head_width = width // tower.heads
    apart = torch.zeros(tower.heads, tokens, width, dtype=value.dtype)
    for head in range(tower.heads):
        part = slice(head * head_width, (head + 1) * head_width)
        apart[head, :, part] = attention[head, :, None] * value[:, part]
    through = lambda context: tower.scale(layer, tower.output(layer)(context))
    nothing = through(torch.zeros(width, dtype=value.dtype))
    return through(apart) - nothing + nothing / (tower.heads * tokens)


def check_telling(name, result, leading):
    """Checks that the fixture distinguishes heads and tokens: attention is sharp, and no two parts are similar."""
    attention, parts = result["attention"], result["component.tokens"]
    tokens = attention.shape[-1]
    sharpest = attention.amax((1, 2)) * tokens
    check(bool((sharpest > 3).all()), f"{name}: attention is near uniform ({sharpest.tolist()} times)")
    swapped = parts.roll(1, dims=1)
    check(typical(swapped, parts) > 0.3, f"{name}: swapping heads would not be detected")
    check(typical(parts.roll(1, dims=2), parts) > 0.3, f"{name}: swapping tokens would not be detected")
    by_head = parts.sum(2)
    check(relative(by_head.roll(1, dims=1), by_head) > 0.3, f"{name}: swapping whole heads would not be detected")
    by_token = parts.sum((0, 1))[leading:]
    check(relative(by_token.roll(1, dims=0), by_token) > 0.3, f"{name}: swapping patches would not be detected")
    print(f"  {name}: sharpest CLS attention per layer, times uniform: {[round(float(s), 1) for s in sharpest]}")


def typical(found, expected):
    """Returns the median of the relative differences of vectors."""
    return float(((found - expected).norm(dim=-1) / expected.norm(dim=-1)).median())
