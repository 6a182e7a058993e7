"""Exports the towers of a pack to ONNX, so that other libraries can run the same weights.

    python benches/export_onnx.py PACK OUT

The command writes `vision.onnx` (input `crop` [1, 3, side, side], output `embedding`) and `text.onnx` (input `tokens`
[texts, length], output `embedding`). The files with `.int8` before the suffix are the same graphs after onnxruntime's
`quantize_dynamic`. The graphs have the nodes that PyTorch's exporter writes for such a model: MatMul and Add,
LayerNormalization, Gelu, Softmax. Needs numpy, safetensors, onnx and onnxruntime.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from safetensors.numpy import load_file


class Weights:
    """The tensors of a pack, converted to f32."""

    def __init__(self, folder):
        self.stored = load_file(folder / "weights.safetensors")

    def __getitem__(self, name):
        values = self.stored[name]
        if values.dtype == np.uint8:
            raise SystemExit("packs in 4 bits are not supported here: use a pack in 8 or 16 bits")
        values = values.astype(np.float32)
        if f"{name}.scale" in self.stored:
            scales = self.stored[f"{name}.scale"].astype(np.float32)
            rows, blocks = scales.shape
            values = (values.reshape(rows, blocks, -1) * scales[:, :, None]).reshape(rows, -1)
        return np.ascontiguousarray(values)

    def __contains__(self, name):
        return name in self.stored


class Graph:
    """A builder of an ONNX graph. Each method adds nodes and returns the name of their result."""

    def __init__(self, weights):
        self.weights, self.nodes, self.constants = weights, [], {}

    def node(self, kind, *inputs, **attributes):
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, values):
        name = f"constant_{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.asarray(values), name)
        return name

    def numbers(self, *values):
        return self.constant(np.array(values, np.int64))

    def linear(self, x, name):
        product = self.node("MatMul", x, self.constant(self.weights[f"{name}.weight"].T.copy()))
        if f"{name}.bias" not in self.weights:
            return product
        return self.node("Add", product, self.constant(self.weights[f"{name}.bias"]))

    def norm(self, x, name, eps):
        gamma, beta = (self.constant(self.weights[f"{name}.{part}"]) for part in ("gamma", "beta"))
        return self.node("LayerNormalization", x, gamma, beta, axis=-1, epsilon=eps)

    def attention(self, x, prefix, config):
        heads, width = config["heads"], config["width"]

        def split(part, axes):
            projected = self.linear(x, f"{prefix}.attention.{part}")
            apart = self.node("Reshape", projected, self.numbers(0, 0, heads, width // heads))
            return self.node("Transpose", apart, perm=axes)

        query, key, value = split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1]), split("value", [0, 2, 1, 3])
        scale = self.constant(np.float32((width // heads) ** -0.5))
        attention = self.node("Softmax", self.node("MatMul", self.node("Mul", query, scale), key), axis=-1)
        if config.get("kind") == "clip":
            raise SystemExit("causal text towers are not supported here")
        joined = self.node("Transpose", self.node("MatMul", attention, value), perm=[0, 2, 1, 3])
        return self.linear(self.node("Reshape", joined, self.numbers(0, 0, width)), f"{prefix}.attention.output")

    def mlp(self, x, prefix, config):
        hidden = self.linear(x, f"{prefix}.mlp.in")
        if config["activation"] == "gelu":
            active = self.node("Gelu", hidden)
        else:
            gate = self.node("Sigmoid", self.node("Mul", hidden, self.constant(np.float32(1.702))))
            active = self.node("Mul", hidden, gate)
        return self.linear(active, f"{prefix}.mlp.out")

    def write(self, path, inputs, shape, result):
        kind = TensorProto.FLOAT if inputs == "crop" else TensorProto.INT64
        graph = helper.make_graph(
            self.nodes + [helper.make_node("Identity", [result], ["embedding"])],
            path.stem,
            [helper.make_tensor_value_info(inputs, kind, shape)],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [None, None])],
            list(self.constants.values()),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


def bicubic(inputs, outputs):
    """Returns the matrix [outputs, inputs] of torch's bicubic resize (a = -0.75, align_corners false)."""
    matrix = np.zeros((outputs, inputs), np.float32)
    for row in range(outputs):
        at = (row + 0.5) * inputs / outputs - 0.5
        for column in range(int(np.floor(at)) - 1, int(np.floor(at)) + 3):
            x = abs(at - column)
            near, far = 1.25 * x**3 - 2.25 * x**2 + 1, -0.75 * (x**3 - 5 * x**2 + 8 * x - 4)
            matrix[row, min(max(column, 0), inputs - 1)] += near if x <= 1 else far
    return matrix


def positions(weights, config, side):
    """Returns the position table for a grid of side x side patches, [1 + patches, width]."""
    table, grid = weights["vision.positions"], (config["position_grid"]["rows"], config["position_grid"]["columns"])
    if grid == (side, side):
        return table
    if config.get("position_resize", "size") != "size":
        raise SystemExit(f"the position resize {config['position_resize']} is not supported here")
    patches = table[1:].reshape(*grid, -1)
    patches = np.einsum("ab,cd,bdw->acw", bicubic(grid[0], side), bicubic(grid[1], side), patches)
    return np.concatenate([table[:1], patches.reshape(side * side, -1)]).astype(np.float32)


def vision(weights, config, path):
    graph, side, patch, eps = Graph(weights), config["image_size"], config["patch"], config["eps"]
    rows = side // patch
    kernel = weights["vision.patch.weight"].reshape(-1, 3, patch, patch)
    patches = graph.node(
        "Conv", "crop", graph.constant(kernel), graph.constant(weights["vision.patch.bias"]), strides=[patch, patch]
    )
    patches = graph.node("Transpose", graph.node("Reshape", patches, graph.numbers(0, 0, -1)), perm=[0, 2, 1])
    cls = graph.constant(weights["vision.class_token"].reshape(1, 1, -1))
    stream = graph.node("Concat", cls, patches, axis=1)
    stream = graph.node("Add", stream, graph.constant(positions(weights, config, rows)[None]))
    if config.get("registers"):
        raise SystemExit("registers are not supported here")
    if config["ln_pre"]:
        stream = graph.norm(stream, "vision.ln_pre", eps)
    for layer in range(config["layers"]):
        prefix = f"vision.blocks.{layer}"
        stream = graph.node("Add", stream, graph.attention(graph.norm(stream, f"{prefix}.ln_1", eps), prefix, config))
        stream = graph.node("Add", stream, graph.mlp(graph.norm(stream, f"{prefix}.ln_2", eps), prefix, config))
    cls = graph.node("Gather", stream, graph.constant(np.int64(0)), axis=1)
    out = graph.norm(cls, "vision.ln_post", eps)
    if config["projection"]:
        out = graph.linear(out, "vision.projection")
    graph.write(path, "crop", [1, 3, side, side], out)


def text(weights, config, path):
    graph, eps = Graph(weights), config["eps"]
    words = graph.node("Gather", graph.constant(weights["text.tokens"]), "tokens")
    length = graph.node("Gather", graph.node("Shape", "tokens"), graph.numbers(1))
    positions = graph.node("Slice", graph.constant(weights["text.positions"]), graph.numbers(0), length)
    stream = graph.norm(graph.node("Add", words, positions), "text.ln_embed", eps)
    for layer in range(config["layers"]):
        prefix = f"text.blocks.{layer}"
        attended = graph.node("Add", stream, graph.attention(stream, prefix, config))
        stream = graph.norm(attended, f"{prefix}.ln_1", eps)
        stream = graph.norm(graph.node("Add", stream, graph.mlp(stream, prefix, config)), f"{prefix}.ln_2", eps)
    out = graph.node("ReduceMean", stream, graph.numbers(1), keepdims=0)
    if config["projection"]:
        out = graph.linear(out, "text.projection")
    graph.write(path, "tokens", ["texts", "length"], out)


def main(pack, out):
    pack, out = Path(pack), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    model = json.loads((pack / "pack.json").read_text())["model"]
    weights = Weights(pack)
    towers = {"vision": vision, "text": text}
    for name in [name for name in towers if model.get(name)]:
        path = out / f"{name}.onnx"
        towers[name](weights, model[name], path)
        prepared = out / f"{name}.prepared.onnx"
        quant_pre_process(path, prepared, skip_symbolic_shape=True)
        quantize_dynamic(prepared, out / f"{name}.int8.onnx", weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
        prepared.unlink()
        print(path, path.stat().st_size, (out / f"{name}.int8.onnx").stat().st_size)


if __name__ == "__main__":
    main(*sys.argv[1:])
