"""Runs towers of the default pack's shape in PyTorch on a CUDA GPU, as a peer of the library in benches/native_peers.rs.

torch_peer.py eager|graph reads lines, each "encoder" or "texts". It answers each line with the seconds that one crop, or
ten texts of seven tokens, took, including the copies from and to the CPU's memory. The weights are random: the time does
not depend on them.
"""

import sys
import time

import torch
from torch import nn

WIDTH, HEADS, LAYERS, PATCH, SIDE = 384, 6, 12, 14, 224


class Tower(nn.Module):
    def __init__(self, heads, layers, norm_first):
        super().__init__()
        layer = nn.TransformerEncoderLayer(WIDTH, heads, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=norm_first)
        self.blocks = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(WIDTH)


class Vision(Tower):
    def __init__(self):
        super().__init__(HEADS, LAYERS, True)
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.cls = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.positions = nn.Parameter(torch.randn(1, 1 + (SIDE // PATCH) ** 2, WIDTH))

    def forward(self, crop):
        patches = self.patches(crop).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls, patches], 1) + self.positions
        return self.norm(self.blocks(tokens))[:, 0]


class Text(Tower):
    def __init__(self):
        super().__init__(12, 6, False)
        self.tokens = nn.Embedding(30522, WIDTH)

    def forward(self, tokens):
        return self.blocks(self.norm(self.tokens(tokens))).mean(1)


def graphed(model, example):
    """Returns the model as one CUDA graph over fixed memory."""
    given = example.cuda()
    for _ in range(3):
        model(given)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = model(given)

    def replay(values):
        given.copy_(values)
        graph.replay()
        return made

    return replay


def main(how):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    models = {
        "encoder": (Vision(), torch.randn(1, 3, SIDE, SIDE)),
        "texts": (Text(), 1000 + torch.arange(70).reshape(10, 7) * 37 % 20000),
    }
    with torch.inference_mode():
        runs = {}
        for name, (model, example) in models.items():
            model = model.cuda().eval()
            runs[name] = (graphed(model, example) if how == "graph" else lambda values, m=model: m(values.cuda()), example)
        for line in sys.stdin:
            run, example = runs[line.strip()]
            start = time.perf_counter()
            run(example).cpu()
            print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
