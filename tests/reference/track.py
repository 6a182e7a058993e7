"""Paper 2 as in docs/PAPERS.md (2.1, 2.4): objects discovered and tracked, masks propagated, and the measures of both.

Features are random: three kinds of patches (two objects and what lies around them) that move from frame to frame.
"""

import numpy as np
from PIL import Image
from pycocotools import mask as coco
from scipy.ndimage import binary_dilation

from places import check, save_f64, save_json
from segment import upsample

SEED = 900
# No value may be closer than this to the threshold that it is compared with.
MARGIN = 1e-4


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def softmax(rows):
    powers = np.exp(rows - rows.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


# --- features -------------------------------------------------------------------------------------------------


class Frame:
    """Returns the features of a frame as in the last block of a ViT, in f32."""

    def __init__(self, g, kinds, heads, base):
        width, count = base.shape[-1], len(kinds)
        like = lambda spread: base[:, kinds] + spread * g.normal(size=(3, count, width))
        scales = np.array([1, 0.1, 1])[:, None, None]  # refined prototypes are long: keys of 0.1 make tracks soft
        self.queries, self.keys, self.tokens = (scales * like(0.6)).astype("f4").astype("f8")
        # Head h attends to kind h % 3, and a little to everything.
        wanted = np.arange(heads)[:, None] % 3 == kinds
        attention = softmax(2.5 * wanted + g.normal(size=(heads, count))) * 0.9
        self.attention = attention.astype("f4").astype("f8")

    def stored(self, name):
        parts = ("attention", "queries", "keys", "tokens")
        return {f"{name}.{part}": getattr(self, part) for part in parts}


def kinds_at(rows, columns, step):
    """Returns the kind of each patch: 0 outside, 1 a square that moves right, 2 a square that moves down."""
    kinds = np.zeros((rows, columns), int)
    kinds[1:3, step : step + 2] = 1
    kinds[step + 1 : step + 3, columns - 3 : columns - 1] = 2
    return kinds


# --- objects --------------------------------------------------------------------------------------------------


def prototypes(frame, heads):
    return frame.attention[heads] @ frame.queries


def sinkhorn(logits):
    """[patches, prototypes] to M* [prototypes, patches]."""
    count, k = logits.shape
    m = np.exp((logits - logits.max()) / 0.05).T
    for _ in range(30):
        m = m / m.sum(1, keepdims=True) / k
        m = m / m.sum(0, keepdims=True) / count
    check(np.isfinite(m).all(), "the plain algorithm overflows: choose other features")
    return m * count


def refined(frame, heads):
    z = unit(frame.tokens)
    m = sinkhorn(z @ prototypes(frame, heads).T)
    scale = 196 / 3 * len(heads) / len(z)
    return m, m @ z * scale


def tracks(vectors, frame):
    return softmax(vectors @ frame.keys.T / np.sqrt(frame.keys.shape[1]))


def objects(g):
    expected = {}
    for name, rows, columns, heads in [("three", 6, 9, [0, 1, 2]), ("mixed", 5, 7, [4, 1]), ("all", 6, 6, [0, 1, 2, 3, 4, 5])]:
        base = 0.9 * g.normal(size=(3, 3, 24))
        frames = [Frame(g, kinds_at(rows, columns, step).ravel(), 6, base) for step in range(3)]
        first = frames[0]
        assignment, vectors = refined(first, heads)
        found = np.stack([tracks(vectors, frame) for frame in frames])
        away = np.abs(found / found.mean(-1, keepdims=True) - 1).min()
        check(away > MARGIN, f"{name}: a patch is too close to the threshold")
        check(found.max() < 0.9 and found.max() > 2 / found.shape[-1], f"{name}: unsuitable tracks: {found.max()}")
        telling = {
            "tokens as they come": sinkhorn(first.tokens @ prototypes(first, heads).T / 8),
            "heads swapped": refined(first, heads[::-1])[0],
        }
        for variant, other in telling.items():
            check(np.abs(other - assignment).max() > 0.05, f"{name}: {variant} gives the same result")
        expected |= {
            f"{name}.grid": np.array([rows, columns]),
            f"{name}.heads": np.array(heads),
            f"{name}.prototypes": prototypes(first, heads),
            f"{name}.assignment": assignment,
            f"{name}.refined": vectors,
            f"{name}.tracks": found,
            f"{name}.unrefined": np.stack([tracks(prototypes(first, heads), frame) for frame in frames]),
            f"{name}.masks": (found > found.mean(-1, keepdims=True)).astype("u1"),
        }
        for step, frame in enumerate(frames):
            expected |= frame.stored(f"{name}.{step}")
    return expected


# --- propagation ----------------------------------------------------------------------------------------------


def propagated(frames, grid, first, recent, radius, top):
    """Returns the masks of frames 1.., `[channel, patch]`, from those of frame 0, with all affinities in one matrix."""
    rows, columns = grid
    place = np.stack(np.divmod(np.arange(rows * columns), columns))
    is_near = (np.abs(place[:, :, None] - place[:, None, :]) <= radius).all(0)
    z = [unit(frame.tokens) for frame in frames]
    masks, gap = [first], np.inf
    for t in range(1, len(frames)):
        contexts = [0, *range(max(1, t - recent), t)]
        affinity = np.concatenate([np.exp(z[t] @ z[c].T / 0.1) * is_near for c in contexts], axis=1)
        ranked = -np.sort(-affinity, axis=1)
        gap = min(gap, (1 - ranked[:, top] / ranked[:, top - 1]).min())
        kept = np.where(affinity >= ranked[:, top - 1 : top], affinity, 0)
        weights = kept / kept.sum(1, keepdims=True)
        masks.append((weights @ np.concatenate([masks[c].T for c in contexts])).T)
    check(gap > 1e-6, f"two matches are too close to rank: {gap}")
    return masks[1:]


def labels_in_photo(masks, grid, patch, photo):
    """Upsamples and stretches each channel. Returns the largest channel at each pixel of the photo (width, height)."""
    channels = []
    for channel in masks:
        pixels = upsample(channel.reshape(grid), patch)
        most, least = pixels.max(), pixels.min()
        channels.append((pixels - least) / (most - least) if most > least else pixels)
    ranked = np.sort(channels, axis=0)
    check((ranked[-1] - ranked[-2]).min() > 1e-5, "two channels of a pixel are too close")
    labels = Image.fromarray(np.argmax(channels, axis=0).astype("u1"))
    return np.asarray(labels.resize(photo, Image.Resampling.NEAREST))


def propagation(g):
    # In this photo no pixel centre lies between two pixels of the crop.
    grid, patch, photo = (6, 9), 4, (52, 32)
    base = 0.7 * g.normal(size=(3, 3, 24))
    kinds = [kinds_at(*grid, step) for step in range(5)]
    frames = [Frame(g, kind.ravel(), 2, base) for kind in kinds]
    # Pixel labels of the photo, shifted a little against the patches.
    first = np.asarray(Image.fromarray(kinds[0].astype("u1")).resize(photo, Image.Resampling.NEAREST))
    seeds = np.asarray(Image.fromarray(first).resize(grid[::-1], Image.Resampling.NEAREST))
    check((seeds == kinds[0]).all(), "the first mask is not reproduced")
    one_hot = (np.arange(3)[:, None] == seeds.ravel()).astype(float)
    expected = {"grid": np.array(grid), "patch": np.array([patch]), "photo": np.array(photo), "first": first}
    for name, options in {"narrow": (2, 2, 3), "wide": (7, 12, 5)}.items():
        masks = propagated(frames, grid, one_hot, *options)
        expected[f"{name}.options"] = np.array(options)
        expected[f"{name}.masks"] = np.stack(masks)
        expected[f"{name}.labels"] = np.stack([labels_in_photo(mask, grid, patch, photo) for mask in masks])
    apart = np.abs(expected["narrow.masks"] - expected["wide.masks"]).max()
    check(apart > 0.1, "the options have no effect")
    expected |= {f"{step}.tokens": frame.tokens for step, frame in enumerate(frames)}
    return {f"propagation.{key}": value for key, value in expected.items()}


# --- measures, as in the DAVIS toolkit ---------------------------------------------------------------------------


def region(found, labelled, void):
    either = ((found | labelled) & ~void).sum()
    return 1.0 if either == 0 else ((found & labelled) & ~void).sum() / either


def boundary_map(mask):
    right, below, both = (np.zeros_like(mask) for _ in range(3))
    right[:, :-1], below[:-1], both[:-1, :-1] = mask[:, 1:], mask[1:], mask[1:, 1:]
    edge = (mask ^ right) | (mask ^ below) | (mask ^ both)
    edge[-1] = mask[-1] ^ right[-1]
    edge[:, -1] = mask[:, -1] ^ below[:, -1]
    edge[-1, -1] = False
    return edge


def boundary(found, labelled, void):
    radius = int(np.ceil(0.008 * np.linalg.norm(found.shape)))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = x**2 + y**2 <= radius**2
    found, labelled = boundary_map(found & ~void), boundary_map(labelled & ~void)
    if found.sum() == 0 or labelled.sum() == 0:
        return float(found.sum() == labelled.sum())
    precision = (found & binary_dilation(labelled, disk)).sum() / found.sum()
    recall = (labelled & binary_dilation(found, disk)).sum() / labelled.sum()
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def over_frames(values):
    ends = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(int) - 1
    quarters = [values[ends[i] : ends[i + 1] + 1] for i in range(4)]
    return [np.mean(values), np.mean(values > 0.5), np.mean(quarters[0]) - np.mean(quarters[3])]


def blob(g, height, width):
    """Draws an irregular region: a disc whose radius changes with the angle."""
    y, x = np.mgrid[:height, :width] + 0.5
    middle = np.array([height, width]) * g.uniform(0.2, 0.8, 2)
    dy, dx = y - middle[0], x - middle[1]
    angle, waves = np.arctan2(dy, dx), g.normal(size=4) * 0.15
    radius = min(height, width) * 0.3 * (1 + sum(w * np.sin((i + 1) * angle) for i, w in enumerate(waves)))
    return np.hypot(dy, dx) < radius


def measures(g):
    expected, strings = {}, []
    for case, (height, width) in enumerate([(48, 64), (120, 90), (31, 200), (7, 5)]):
        found, labelled = blob(g, height, width), blob(g, height, width)
        void = blob(g, height, width) & (g.uniform(size=(height, width)) < 0.5)
        if case == 1:
            found[-1] = labelled[-1] = True
            labelled[:, -1] = True
        expected |= {
            f"measures.{case}.size": np.array([width, height]),
            f"measures.{case}.found": found.astype("u1"),
            f"measures.{case}.labelled": labelled.astype("u1"),
            f"measures.{case}.void": void.astype("u1"),
            f"measures.{case}.region": np.array([region(found, labelled, void)]),
            f"measures.{case}.boundary": np.array([boundary(found, labelled, void)]),
        }
        strings += [coco.encode(np.asfortranarray(mask.astype("u1")))["counts"].decode() for mask in (found, labelled)]
    for count in (1, 2, 3, 5, 8, 79, 400):
        values = np.clip(np.linspace(0.9, 0.3, count) + 0.2 * g.normal(size=count), 0, 1)
        expected[f"series.{count}"] = values
        expected[f"series.{count}.sums"] = np.array(over_frames(values))
    save_json("track.rle", strings)
    return expected


def main():
    g = np.random.default_rng(SEED)
    save_f64("track", objects(g) | propagation(g) | measures(g))


if __name__ == "__main__":
    main()
