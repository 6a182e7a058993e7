"""Hugging Face's BERT, mean-pooled and normalised, as in sentence encoders."""

import torch
from transformers import BertConfig, BertModel

from common import GELU_SHIFT, randomise, relative, save_checkpoint, save_expected, unit
from places import check

TEXTS = [[2, 3], [2, 17, 3], [2, 17, 29, 41, 3], [2, 29, 17, 41, 3], [2, 8, 8, 8, 8, 60, 3], [2, *range(10, 28), 3]]
SEED = 400


def build(act="gelu"):
    config = BertConfig(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=96,
        vocab_size=64,
        max_position_embeddings=20,
        hidden_act=act,
        attn_implementation="eager",
    )
    return randomise(BertModel(config), SEED)


@torch.no_grad()
def embed(model):
    """Returns mean-pooled, unnormalised embeddings, each text at its own length.

    Padding under a mask must not change the embeddings.
    """
    pooled = []
    for text in TEXTS:
        alone = model(input_ids=torch.tensor([text])).last_hidden_state[0].mean(0)
        padding = 20 - len(text)
        mask = torch.tensor([[1] * len(text) + [0] * padding])
        hidden = model(input_ids=torch.tensor([text + [0] * padding]), attention_mask=mask).last_hidden_state[0]
        check(relative(hidden[: len(text)].mean(0), alone) < 1e-6, "padding changes a text's embedding")
        pooled.append(alone)
    return torch.stack(pooled)


def main():
    model, other = build(), build(act="quick_gelu")
    save_checkpoint("bert", model)
    pooled = embed(model.double())
    shift = relative(embed(other.double()), pooled)
    check(shift > GELU_SHIFT, f"bert: QuickGELU changes the texts by only {shift}")
    check(relative(pooled[3:4], pooled[2:3]) > 0.05, "bert: swapping two tokens would not be detected")
    ids = torch.full((len(TEXTS), max(map(len, TEXTS))), -1, dtype=torch.int64)
    for row, text in enumerate(TEXTS):
        ids[row, : len(text)] = torch.tensor(text)
    save_expected("bert", {"ids": ids, "pooled": pooled, "unit": unit(pooled)})


if __name__ == "__main__":
    main()
