"""TextSpan as docs/PAPERS.md states it (1.7, steps 1 to 3): on D and R themselves, by NumPy's SVD.

As in the model, the D of each case is computed from a head's codes u and its basis B: D = U B^T.
"""

from dataclasses import dataclass

import numpy as np

from places import check, save_f64

# Picking ends when less than this share of the variance is left.
SPENT = 1e-9
# No text is left if the best text's deviation, relative to the first pick's, is only rounding.
GONE = 1e-10
# A pick is clear if the runner-up's deviation is smaller by this share.
MARGIN = 0.01


@dataclass
class Case:
    name: str
    basis: np.ndarray  # B [d, code]
    codes: np.ndarray  # U [K, code]
    texts: np.ndarray  # R [T, d]
    rank: int
    count: int

    def contributions(self):
        return self.codes @ self.basis.T


@dataclass
class Span:
    picks: list
    explained: list  # after each pick
    margins: list  # each pick's deviation, and the runner-up's
    reconstruction: np.ndarray  # [K, d], after all picks


# --- the algorithm ------------------------------------------------------------------------------------------


def textspan(contributions, texts, rank, count):
    mean = contributions.mean(0)
    left = contributions - mean
    texts = texts @ strongest(contributions, rank)
    reconstruction = np.tile(mean, (len(left), 1))
    whole = np.square(left).sum()
    picks, explained, margins = [], [], []
    for _ in range(count):
        deviations = (left @ texts.T).std(0)
        second, first = np.sort(deviations)[-2:]
        if picks and first < GONE * margins[0][0]:
            break
        pick = int(deviations.argmax())
        direction = texts[pick] / np.linalg.norm(texts[pick])
        along = np.outer(left @ direction, direction)
        reconstruction += along
        left = left - along
        texts = texts - np.outer(texts @ direction, direction)
        picks.append(pick)
        margins.append((first, second))
        explained.append(1 - np.square(left).sum() / whole)
        if np.square(left).sum() < SPENT * whole:
            break
    return Span(picks, explained, margins, reconstruction)


def strongest(contributions, rank):
    """Returns V V^T of the top right singular vectors."""
    v = np.linalg.svd(contributions, full_matrices=False)[2][:rank].T
    return v @ v.T


# --- the cases ----------------------------------------------------------------------------------------------


def many(seed=1672):
    """More images than numbers in a code, and more of these numbers than the rank."""
    g, rank = np.random.default_rng(seed), 10
    basis = random_basis(g, 28, rank)
    return Case("many", basis, random_codes(g, 160, rank), random_texts(g, 50, 28), rank, rank)


def few(seed=2297):
    """Fewer images than the rank: their whole variance is explained before the count is reached."""
    g, rank = np.random.default_rng(seed), 10
    basis = random_basis(g, 24, rank)
    return Case("few", basis, random_codes(g, 7, rank), random_texts(g, 40, 24), rank, rank)


def spent(seed=500):
    """Variances along chosen texts that leave 4.2e-9 and then 2e-10 of the whole: below the
    limit while texts and directions remain."""
    g, rank, images = np.random.default_rng(seed), 8, 60
    variances = np.array([0.5, 0.3, 0.15, 0.05, 1e-6, 4e-9, 2e-10])
    basis = random_basis(g, 24, rank)
    q, triangle = np.linalg.qr(basis)
    inside = np.linalg.qr(g.normal(size=(rank + 3, len(variances))))[0]
    along = g.normal(size=(images, len(variances)))
    along = np.linalg.qr(along - along.mean(0))[0] * np.sqrt(variances * images) * 0.02
    codes = random_codes(g, images, rank).mean(0) + np.linalg.solve(triangle, inside @ along.T).T
    texts = random_texts(g, 40, 24)
    texts[g.permutation(40)[: len(variances) - 1]] = as_f32((q @ inside).T[:-1])
    return Case("spent", basis, codes, texts, rank, rank)


def poor(seed=780):
    """Forty texts that span five directions: no text is left, but most of the variance is."""
    g, rank, spanned = np.random.default_rng(seed), 8, 5
    basis = random_basis(g, 26, rank)
    texts = (g.integers(-3, 4, (40, spanned)) @ g.integers(-4, 5, (spanned, 26))) / 16
    return Case("poor", basis, random_codes(g, 60, rank), texts, rank, rank)


def random_basis(g, embedding, rank):
    """Returns B: columns of different lengths that are not orthogonal."""
    columns = g.normal(size=(embedding, rank + 3))
    columns = columns @ (np.eye(rank + 3) + 0.3 * g.normal(size=(rank + 3, rank + 3)))
    return columns * g.uniform(0.6, 1.6, rank + 3)


def random_codes(g, images, rank):
    """u = [w / (sigma |M|), 1 / (sigma |M|), mu / (sigma |M|), 1 / |M|], with w far from zero."""
    deviation, norm = (scale * g.uniform(0.85, 1.15, (images, 1)) for scale in (1.8, 11.0))
    mean = 0.3 * g.uniform(0.8, 1.2, (images, 1))
    strengths = np.geomspace(1.0, 0.2, rank)
    mixing = np.linalg.qr(g.normal(size=(rank, rank)))[0]
    values = 1.5 * g.normal(size=rank) + (g.normal(size=(images, rank)) * strengths) @ mixing
    scale = 1 / (deviation * norm)
    return np.hstack([values * scale, scale, mean * scale, 1 / norm])


def random_texts(g, count, embedding):
    texts = g.normal(size=(count, embedding))
    return as_f32(texts / np.linalg.norm(texts, axis=1, keepdims=True))


def as_f32(values):
    """Rounds to f32."""
    return values.astype(np.float32).astype(np.float64)


# --- checks that a fixture is fair and sensitive -------------------------------------------------------------


def check_fair(case, span):
    """Checks that rounding cannot change a pick."""
    for first, second in span.margins:
        check(second < (1 - MARGIN) * first, f"{case.name}: the deviations {first} and {second} are too close")
    check((as_f32(case.texts) == case.texts).all(), f"{case.name}: texts are not exact in f32")
    values = np.linalg.svd(case.contributions(), compute_uv=False)
    if case.rank < len(values):
        check(values[case.rank] < 0.95 * values[case.rank - 1], f"{case.name}: the rank cuts between equal values")


def variants(case):
    """Yields the picks of algorithms with one mistake."""
    whole, rank, count = case.contributions(), case.rank, case.count
    yield "without the SVD", textspan(whole, case.texts, whole.shape[1], count)
    yield "with one direction too many", textspan(whole, case.texts, rank + 1, count)
    yield "with one direction too few", textspan(whole, case.texts, rank - 1, count)
    yield "with a centred SVD", textspan(whole, case.texts @ strongest(whole - whole.mean(0), rank), 99, count)
    projected = case.texts @ strongest(whole, rank)
    lengths = np.linalg.norm(projected, axis=1, keepdims=True)
    yield "with texts renormalised", textspan(whole, projected / lengths, rank, count)
    mirrored = np.vstack([whole, -whole])
    yield "about zero instead of the mean", textspan(mirrored, case.texts, rank, count)


def check_telling(case, span):
    for name, variant in variants(case):
        check(variant.picks != span.picks, f"{case.name}: picks are the same {name}")


def main():
    for case in (many(), few(), spent(), poor()):
        whole = case.contributions()
        span = textspan(whole, case.texts, case.rank, case.count)
        check_fair(case, span)
        if case.name == "many":
            check_telling(case, span)
        closest = min(1 - second / first for first, second in span.margins)
        left = [f"{1 - value:.1e}" for value in span.explained]
        print(f"  {case.name}: {span.picks}, runner-up at least {closest:.1%} lower, left {left}")
        images = np.array([0, len(whole) // 2, len(whole) - 1])
        expected = {
            "basis": case.basis,
            "codes": case.codes,
            "texts": case.texts,
            "rank": np.array([case.rank]),
            "count": np.array([case.count]),
            "mean": case.codes.mean(0),
            "covariance": np.cov(case.codes.T, bias=True),
            "picks": np.array(span.picks),
            "explained": np.array(span.explained),
            "images": images,
            "reconstruction": span.reconstruction[images],
        }
        save_f64(f"textspan/{case.name}", expected)


if __name__ == "__main__":
    main()
