"""Ridge regression, the contrastive loss and retrieval in NumPy, each computed in another way than in headlamp: least
squares on a system with the penalty's rows below it, sums over single pairs, and sorting."""

import numpy as np

from places import check, save_f64

WIDTH, EMBEDDING, IMAGES, CAPTIONS = 6, 5, 24, 16
PENALTIES = [1e-3, 0.1, 3.0]
SCALE = 7.5


def data(rng):
    images = rng.normal(size=(IMAGES, WIDTH)) * np.linspace(0.3, 2.0, WIDTH) + rng.normal(size=WIDTH)
    captions = rng.normal(size=(CAPTIONS, EMBEDDING))
    captions /= np.linalg.norm(captions, axis=1, keepdims=True)
    # Every image has a caption, some have two, and captions are shared.
    pairs = [(image, int(rng.integers(CAPTIONS))) for image in range(IMAGES)]
    pairs += [(image, (caption + 1) % CAPTIONS) for image, caption in pairs[:7]]
    pairs += [(0, caption) for caption in range(CAPTIONS) if caption not in {c for _, c in pairs}]
    return images, captions, sorted(set(pairs))


def ridge(images, captions, pairs, penalty):
    """Minimises mean |W x + b - t|^2 + penalty * unit * |W|^2. `unit` is the mean variance of the paired images."""
    x = np.stack([images[image] for image, _ in pairs])
    t = np.stack([captions[caption] for _, caption in pairs])
    weight = np.sqrt(penalty * x.var(axis=0).mean() * len(pairs))
    system = np.vstack([np.hstack([x, np.ones((len(x), 1))]), np.hstack([weight * np.eye(WIDTH), np.zeros((WIDTH, 1))])])
    solution = np.linalg.lstsq(system, np.vstack([t, np.zeros((WIDTH, t.shape[1]))]), rcond=None)[0]
    return solution[:WIDTH].T, solution[WIDTH]


def embed(images, weight, bias):
    raw = images @ weight.T + bias
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def contrastive_loss(unit, captions, pairs, scale):
    logits = scale * unit @ captions.T
    total = 0.0
    for logits, pairs in [(logits, pairs), (logits.T, [(c, i) for i, c in pairs])]:
        losses = []
        for query in sorted({query for query, _ in pairs}):
            log_probabilities = logits[query] - np.log(np.exp(logits[query]).sum())
            losses.append(-np.mean([log_probabilities[answer] for other, answer in pairs if other == query]))
        total += 0.5 * np.mean(losses)
    return total


def ranks(scores, answers):
    """Returns the rank of each query's best answer: the number of wrong answers at least as good, plus one."""
    found = []
    for query, row in enumerate(scores):
        best = max(row[answer] for answer in answers[query])
        order = sorted((value for place, value in enumerate(row) if place not in answers[query]), reverse=True)
        found.append(1 + sum(value >= best for value in order))
    return np.array(found)


def main():
    rng = np.random.default_rng(3)
    images, captions, pairs = data(rng)
    out = dict(images=images, captions=captions, pairs=np.array(pairs), penalties=np.array(PENALTIES))
    weights = []
    for number, penalty in enumerate(PENALTIES):
        weight, bias = ridge(images, captions, pairs, penalty)
        out |= {f"weight.{number}": weight, f"bias.{number}": bias}
        weights.append(weight)
    check(np.linalg.norm(weights[0] - weights[2]) > 0.1 * np.linalg.norm(weights[0]), "the penalty has little effect")
    unit = embed(images, out["weight.1"], out["bias.1"])
    out["loss"] = np.array([contrastive_loss(unit, captions, pairs, SCALE)])
    of_image = {image: {c for i, c in pairs if i == image} for image in range(IMAGES)}
    of_caption = {caption: {i for i, c in pairs if c == caption} for caption in range(CAPTIONS)}
    for name, scores, answers in [
        ("image_to_text", unit @ captions.T, of_image),
        ("text_to_image", captions @ unit.T, of_caption),
    ]:
        found = ranks(scores, answers)
        check(len(set(found)) > 3, "the ranks hardly differ")
        recalls = [np.mean(found <= at) for at in [1, 5, 10]]
        out[name] = np.array([*recalls, np.median(found)])
    save_f64("align", out)


if __name__ == "__main__":
    main()
