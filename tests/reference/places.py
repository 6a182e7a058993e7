"""Code that all scripts share and that needs only NumPy: paths, checks, and output files."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
FIXTURES = HERE / "fixtures"
RECIPE = HERE.parents[1] / "www/packs/default"
SAMPLES = HERE.parents[1] / "www/samples"


def check(condition, sentence):
    """An assert that `python -O` does not remove."""
    if not condition:
        raise AssertionError(sentence)


def path_of(name):
    path = FIXTURES / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def save_f64(name, tensors):
    """Writes `<name>.expected.safetensors` at full precision."""
    stored = {key: np.ascontiguousarray(value) for key, value in sorted(tensors.items())}
    save_file(stored, path_of(f"{name}.expected.safetensors"))


def save_json(name, value):
    path_of(f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")
