"""The features of a crop's patches from the tiny model, computed by the NumPy tower of vit.py.

The binary makes the tiny pack: `features.py target/debug/headlamp`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from places import check, save_f64
from vit import Vit

SEED = 950


def all_features(vit, crop):
    early = {f"tokens_after_{layer}": vit.tokens_after(crop, layer) for layer in range(vit.layers - 1)}
    return vit.features(crop) | early


def main(binary):
    with tempfile.TemporaryDirectory() as place:
        pack = Path(place) / "tiny"
        command = [Path(binary).resolve(), "pack", "random", "--seed", "7", "--out", pack]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        vit = Vit(pack)
    crop = np.random.default_rng(SEED).normal(size=(3, 2 * vit.patch, 3 * vit.patch)).astype("f4").astype("f8")
    features, swapped = (all_features(vit, values) for values in (crop, crop[:, :, ::-1]))
    for part, values in features.items():
        check(np.abs(values - swapped[part]).max() > 1e-2, f"{part} does not depend on the crop")
        check(np.abs(values[0] - values[1]).max() > 1e-3, f"{part}: two heads, or two patches, are the same")
    save_f64("features", features | {"crop": crop})


if __name__ == "__main__":
    main(*sys.argv[1:])
