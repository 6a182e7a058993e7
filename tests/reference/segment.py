"""Segmentation as docs/PAPERS.md (1.10) states it, from patches' scores to a map in the photo.

If PyTorch is installed, the upsampling is compared with torch.nn.functional.interpolate.
"""

from dataclasses import dataclass

import numpy as np

from places import check, save_f64

# No pixel may be closer than this to the threshold, and no pixel centre of a photo closer to the crop's edge.
MARGIN = 1e-5
SEED = 700


# --- from patches to the crop -------------------------------------------------------------------------------


def against(scores, text):
    """Returns a text's scores minus the mean of all other texts' scores."""
    others = np.delete(scores, text, axis=0)
    return scores[text] - others.mean(0)


def upsample(patches, patch):
    """Bilinear, align_corners false: `[rows, columns]` to `[rows * patch, columns * patch]`."""
    down, across = (weights(count, patch) for count in patches.shape)
    return down @ patches @ across.T


def weights(count, patch):
    """Returns the weight of each sample in each pixel, `[count * patch, count]`."""
    places = (np.arange(count * patch) + 0.5) / patch - 0.5
    return interpolation(places, count)


def interpolation(places, count):
    """Returns the weights of samples 0..count at `places`. Outside, the nearest edge sample counts."""
    places = np.clip(places, 0, count - 1)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(count)))


def soft_map(patches, patch):
    """Returns the map in [0, 1]. The map is all zero if no score is positive."""
    return stretch(np.maximum(upsample(patches, patch), 0))


def stretch(values):
    least, most = values.min(), values.max()
    return (values - least) / (most - least) if most > 0 else np.zeros_like(values)


# --- from the crop to the photo -----------------------------------------------------------------------------


@dataclass
class Frame:
    """The position of a crop in its photo; sizes are (width, height)."""

    photo: tuple
    resized: tuple
    offset: tuple  # left, top
    crop: tuple


def centre_crop(photo, size):
    """torchvision's centre crop: the long side is truncated, the offset is rounded half to even."""
    width, height = photo
    resized = (size, size * height // width) if width <= height else (size * width // height, size)
    offset = tuple(int(round((side - size) / 2)) for side in resized)
    return Frame(photo, resized, offset, (size, size))


def in_photo(soft, frame):
    """Returns the map at every pixel centre of the photo; 0 outside the crop."""
    sampled = []
    for axis, count in enumerate(frame.crop):
        centres = np.arange(frame.photo[axis]) + 0.5
        in_crop = centres * frame.resized[axis] / frame.photo[axis] - frame.offset[axis]
        check(np.abs(in_crop).min() > MARGIN and np.abs(in_crop - count).min() > MARGIN, "a pixel is at the edge")
        inside = (in_crop > 0) & (in_crop < count)
        sampled.append(interpolation(in_crop - 0.5, count) * inside[:, None])
    across, down = sampled
    return down @ soft @ across.T


# --- the cases ----------------------------------------------------------------------------------------------


@dataclass
class Scores:
    name: str
    values: np.ndarray  # [text, row, column]
    patch: int
    frames: dict


def cases():
    g = np.random.default_rng(SEED)
    scores = lambda texts, rows, columns: 0.02 * g.normal(size=(texts, rows, columns))
    wide = Scores("wide", scores(6, 3, 5), 4, {"whole": Frame((33, 19), (20, 12), (0, 0), (20, 12))})
    wide.values[1] += 0.1  # positive everywhere
    wide.values[2] -= 0.1  # nowhere
    tall = Scores("tall", scores(4, 5, 2), 7, {})
    frames = {"landscape": centre_crop((37, 26), 20), "small_portrait": centre_crop((13, 19), 20)}
    return [wide, tall, Scores("square", scores(5, 4, 4), 5, frames)]


def check_telling(name, patches, patch, soft):
    """Checks that a step with a mistake would change the result."""
    up = upsample(patches, patch)
    nearest = np.kron(patches, np.ones((patch, patch)))
    others = {"nearest": soft_of(nearest), "without min-max's min": np.maximum(up, 0) / up.max()}
    if (patches < 0).any():
        others["clipped first"] = soft_map(np.maximum(patches, 0), patch)
        others["without clipping"] = stretch(up)
        del others["without min-max's min"]
    for variant, other in others.items():
        check(np.abs(other - soft).max() > 0.02, f"{name}: {variant} gives the same result")


def soft_of(upsampled):
    return stretch(np.maximum(upsampled, 0))


def check_against_torch(patches, patch):
    """Returns the largest difference to PyTorch's upsampling, or None if PyTorch is not installed."""
    try:
        import torch
    except ImportError:
        return None
    size = [count * patch for count in patches.shape]
    theirs = torch.nn.functional.interpolate(torch.tensor(patches)[None, None], size=size, mode="bilinear")
    apart = float(np.abs(theirs[0, 0].numpy() - upsample(patches, patch)).max())
    check(apart < 1e-14, f"the upsampling differs from PyTorch's by {apart}")
    return apart


def main():
    expected = {}
    for case in cases():
        texts, rows, columns = case.values.shape
        expected[f"{case.name}.scores"] = case.values.reshape(texts, -1)
        expected[f"{case.name}.grid"] = np.array([rows, columns])
        expected[f"{case.name}.patch"] = np.array([case.patch])
        for text in range(texts):
            name = f"{case.name}.{text}"
            patches = against(case.values, text)
            soft = soft_map(patches, case.patch)
            mask = soft > soft.mean()
            apart = check_against_torch(patches, case.patch)
            kind = "empty" if not soft.any() else "positive" if (patches > 0).all() else "mixed"
            torch = "no PyTorch to compare with" if apart is None else f"{apart:.0e} from PyTorch's upsampling"
            print(f"  {name}: {kind}, foreground {mask.mean():.2f}, {torch}")
            if kind != "empty":
                check(np.abs(soft - soft.mean()).min() > MARGIN, f"{name}: a pixel is too close to the threshold")
                check_telling(name, patches, case.patch, soft)
            expected[f"{name}.soft"] = soft
            expected[f"{name}.threshold"] = np.array([soft.mean()])
            expected[f"{name}.mask"] = mask.astype(np.uint8)
            for label, frame in case.frames.items():
                expected[f"{name}.{label}"] = in_photo(soft, frame)
        for label, frame in case.frames.items():
            sides = (*frame.photo, *frame.resized, *frame.offset, *frame.crop)
            expected[f"{case.name}.{label}.frame"] = np.array(sides)
    save_f64("segment", expected)


if __name__ == "__main__":
    main()
