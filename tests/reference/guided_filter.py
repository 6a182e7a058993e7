"""The guided filter as docs/PAPERS.md (1.16) states it, solved window by window as a least-squares problem.

The windows are cut off at the border. The coefficients are averaged over all windows that contain a point, interpolated
to the pixels of a picture, and applied to the picture's colours.
"""

import numpy as np

from places import check, save_f64
from segment import interpolation

SEED = 1600
RADIUS = 3
EPSILON = 1e-3


def windows(shape):
    """Yields each point with the slices of its window."""
    for row, column in np.ndindex(*shape):
        slices = [slice(max(0, at - RADIUS), at + RADIUS + 1) for at in (row, column)]
        yield row, column, tuple(slices)


def fit(colours, values, epsilon=EPSILON):
    """Minimises sum((a . I + b - p)^2 + epsilon |a|^2) over the pixels of one window. Returns a and b."""
    count = len(values)
    design = np.hstack([colours, np.ones((count, 1))])
    ridge = np.sqrt(count * epsilon) * np.eye(3, 4)
    solution, *_ = np.linalg.lstsq(np.vstack([design, ridge]), np.concatenate([values, np.zeros(3)]), rcond=None)
    return solution


def coefficients(guide, values, epsilon=EPSILON):
    """Returns the mean coefficients of each point, `[row, column, 4]`."""
    fitted = np.zeros((*values.shape, 4))
    for row, column, window in windows(values.shape):
        fitted[row, column] = fit(guide[window].reshape(-1, 3), values[window].ravel(), epsilon)
    means = np.zeros_like(fitted)
    for row, column, window in windows(values.shape):
        means[row, column] = fitted[window].reshape(-1, 4).mean(0)
    return means


def apply(means, picture):
    """Interpolates the coefficients to the picture's pixels and applies them. The picture covers the guide."""
    weights = []
    for axis in range(2):
        length, points = picture.shape[axis], means.shape[axis]
        places = (np.arange(length) + 0.5) * points / length - 0.5
        weights.append(interpolation(places, points))
    down, across = weights
    fine = np.einsum("ri,ijc,sj->rsc", down, means, across)
    return np.clip((fine[..., :3] * picture).sum(-1) + fine[..., 3], 0, 1)


def scene(g, height, width):
    """Returns RGB bytes of two textured halves with a slanted border, and which pixels are on the left."""
    y, x = (np.mgrid[0:height, 0:width] + 0.5) / [[[height]], [[width]]]
    left = x + 0.3 * y < 0.62
    colours = np.where(left[..., None], [190, 70, 40], [40, 90, 150]) + g.normal(0, 6, (height, width, 3))
    return np.clip(np.round(colours), 0, 255), left


def main():
    g = np.random.default_rng(SEED)
    guide, left = scene(g, 14, 19)
    picture, left_in_picture = scene(g, 33, 47)
    # A map that is smooth across the border, as maps from patches are.
    x = (np.arange(19) + 0.5) / 19
    values = np.clip(0.5 + 1.1 * (0.45 - x)[None] + 0.04 * g.normal(size=(14, 19)), 0, 1)
    means = coefficients(guide / 255, values)
    filtered = apply(means, picture / 255)

    inside, outside = filtered[left_in_picture].mean(), filtered[~left_in_picture].mean()
    print(f"  the map is {inside:.2f} on the left and {outside:.2f} on the right of the border")
    check(inside - outside > 0.2, "the filter does not follow the border")
    others = {
        "without epsilon": apply(coefficients(guide / 255, values, 1e-9), picture / 255),
        "one channel": apply(coefficients(np.repeat(guide[..., :1], 3, 2) / 255, values), picture / 255),
        "the map itself": apply(np.dstack([np.zeros((14, 19, 3)), values]), picture / 255),
    }
    for mistake, other in others.items():
        apart = np.abs(other - filtered).max()
        check(apart > 0.02, f"{mistake} gives the same result")
        print(f"  {mistake}: apart by {apart:.2f}")
    save_f64("guided_filter", {
        "guide": guide.astype(np.uint8),
        "picture": picture.astype(np.uint8),
        "map": values,
        "coefficients": means,
        "filtered": filtered,
        "parameters": np.array([RADIUS, EPSILON]),
    })


if __name__ == "__main__":
    main()
