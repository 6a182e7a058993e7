"""The papers' tables on small data sets in the real formats, recomputed in NumPy from the papers' formulas.

    python tests/reference/eval.py HEADLAMP

HEADLAMP is the `headlamp` binary. The script calls it to make the tests' tiny random pack (seed 7), its classifiers
and its statistics. Everything else is computed here. Data sets and expected values are written to `fixtures/eval/`.

Labels are drawn so that accuracies are neither 0 nor 1, because random weights recognise nothing.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
from PIL import Image, ImageDraw
from safetensors.numpy import load_file

from places import check, path_of
from segment import in_photo, soft_map
from textspan import textspan
from vit import Vit

CLASSES = ["a circle", "a square", "a forest", "a bridge", "the letter a", "a fish"]
BIRDS = ["landbird", "waterbird"]
LATE = 2
COUNTS = [0, 1, 2, 5]
BIRD_HEADS = [(2, 0), (1, 2)]
PROPOSED = 2
# The seeds of the pictures of imagenet, segmentation and waterbirds.
SEEDS = (1, 0, 0)
# The two best classes, and the margins between two birds, differ by at least this much, so rounding has no effect.
MARGIN = 5e-6
# Every pixel of a map differs from the map's threshold by at least this much.
PIXEL_MARGIN = 2e-6
METHODS = ["raw attention", "rollout", "headlamp"]


# --- pictures ---------------------------------------------------------------------------------------------------


def picture(g, size):
    """Draws a few shapes on a ground. Returns the picture, and the mask of the last shape."""
    photo, mask = Image.new("RGB", size, colour(g)), Image.new("L", size, 0)
    for shape in range(4):
        left, top = (int(g.integers(0, side * 2 // 3)) for side in size)
        box = (left, top, left + int(g.integers(8, size[0] // 2)), top + int(g.integers(8, size[1] // 2)))
        draw = "ellipse" if g.integers(2) else "rectangle"
        getattr(ImageDraw.Draw(photo), draw)(box, fill=colour(g))
        if shape == 3:
            getattr(ImageDraw.Draw(mask), draw)(box, fill=255)
    return photo, mask


def colour(g):
    return tuple(int(value) for value in g.integers(0, 256, 3))


def save(image, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)


# --- headlamp's own part ------------------------------------------------------------------------------------------


class Tool:
    """The binary, the tiny pack, and a folder for its output."""

    def __init__(self, binary, place):
        self.binary, self.place = Path(binary).resolve(), Path(place)
        self.run("pack", "random", "--seed", "7", "--out", self.pack)

    @property
    def pack(self):
        return self.place / "tiny"

    def run(self, *arguments):
        subprocess.run([self.binary, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)

    def classes(self, eval_name, data, *more):
        """Returns the classifier that an evaluation wrote, [class, d]."""
        out = self.place / f"classes-of-{eval_name}"
        self.run("eval", eval_name, "--data", data, "--pack", self.pack, "--device", "cpu", "--out", out, *more)
        (file,) = out.glob("classes-*.safetensors")
        return load_file(file)["classes"].astype(np.float64)

    def statistics(self, data):
        out = self.place / "statistics.safetensors"
        self.run("stats", data, "--pack", self.pack, "--device", "cpu", "--out", out)
        return out


class Means:
    """Returns the mean of every component in the shared space, from a statistics file."""

    def __init__(self, vit, path):
        stored = load_file(path)
        each = lambda name: np.stack(
            [
                np.stack([vit.basis(layer, head) @ stored[name][layer, head] for head in range(vit.heads)])
                for layer in range(vit.layers)
            ]
        )
        self.heads, self.cls = each("head.code.mean"), each("head.cls_code.mean")
        self.mlps, self.z0 = stored["mlp.mean"], stored["embedding.mean"]


# --- zero-shot ----------------------------------------------------------------------------------------------------


def top(embedding, classes):
    scores = classes @ embedding
    second, first = np.sort(scores)[-2:]
    check(first - second > MARGIN, f"two classes are {first - second} apart")
    return int(scores.argmax())


def ablated(vit, means, run):
    """Returns the embedding in each row of the ablation table."""
    heads, mlps = vit.heads_of(run), vit.mlps_of(run)
    no_mlps = means.mlps.sum(0) - mlps.sum(0)
    no_cls = (means.cls - vit.cls_to_cls(run)).sum((0, 1))
    rows = [run.unit, run.unit + no_mlps, run.unit + no_cls, run.unit + no_mlps + no_cls]
    for count in range(1, vit.layers + 1):
        rows.append(run.unit + (means.heads - heads)[:count].sum((0, 1)))
    return rows


def runs_of(vit, photos):
    return [vit.run(vit.crop(photo)[1]) for photo in photos]


def labels_for(tops, g):
    """Returns labels that mostly equal the model's answer in one of the rows, so that every row is sometimes right."""
    return [int(g.choice(rows)) if g.random() < 0.8 else int(g.integers(len(CLASSES))) for rows in tops]


def imagenet(tool, vit, place, g):
    """Writes folders by WordNet id, and computes the ablation table."""
    photos = [picture(g, (int(g.choice([64, 80, 96])), 64))[0] for _ in range(36)]
    sample = tool.place / "one"
    save(photos[0], sample / "a.png")
    (sample / "labels.tsv").write_text("a.png\t0\n")
    classes_tsv = "".join(f"n0000000{index}\t{name}\n" for index, name in enumerate(CLASSES))
    (sample / "classes.tsv").write_text(classes_tsv)
    classes = tool.classes("ablation", sample)
    means = Means(vit, tool.pack / "statistics.safetensors")
    runs = runs_of(vit, photos)
    tops = [[top(row, classes) for row in ablated(vit, means, run)] for run in runs]
    labels = labels_for(tops, g)
    names = []
    for index, (photo, label) in enumerate(zip(photos, labels)):
        names.append(f"n0000000{label}/{index:02}.png")
        save(photo, place / names[-1])
    (place / "classes.tsv").write_text(classes_tsv)
    expected = {"classes": CLASSES, "accuracy": accuracies(tops, labels), "top": dict(zip(names, tops))}
    spread = len(set(expected["accuracy"]))
    check(spread > 3, f"only {spread} different accuracies")
    check(0.1 < min(expected["accuracy"]) and max(expected["accuracy"]) < 0.9, "an accuracy is too close to 0 or 1")
    return expected, completeness(tool, vit, place, classes, dict(zip(names, runs)), dict(zip(names, labels)))


def accuracies(tops, labels):
    return (np.array(tops) == np.array(labels)[:, None]).mean(0).tolist()


# --- TextSpan's completeness ----------------------------------------------------------------------------------------


def completeness(tool, vit, place, classes, runs, labels):
    """Statistics over the pictures themselves, so that D is available: the plain algorithm of textspan.py."""
    tool.statistics(place)
    pool = load_file(tool.pack / "pool.safetensors")["embeddings"].astype(np.float64)
    names = sorted(runs)
    heads = np.stack([vit.heads_of(runs[name]) for name in names])  # [K, L, H, d]
    first, rank = vit.layers - LATE, vit.config["width"] // vit.heads
    means = heads.mean(0)
    early = np.stack([runs[name].unit for name in names]) + (means[:first] - heads[:, :first]).sum((1, 2))
    rows = [np.stack([runs[name].unit for name in names]), early]
    explained = []
    for count in COUNTS:
        replaced, shares = early.copy(), []
        for layer in range(first, vit.layers):
            for head in range(vit.heads):
                of_head = heads[:, layer, head]
                span = textspan(of_head, pool, rank, count)
                replaced += span.reconstruction - of_head
                shares.append(span.explained[-1] if span.explained else 0.0)
                for best, second in span.margins:
                    check(second < (1 - 1e-4) * best, f"head {layer}.{head}: two texts are equally good")
        rows.append(replaced)
        explained.append(float(np.mean(shares)))
    tops = [[top(row[index], classes) for row in rows] for index in range(len(names))]
    check(len({tuple(rows) for rows in zip(*tops)}) >= 4, "the number of texts has no effect")
    return {
        "late_layers": LATE,
        "counts": COUNTS,
        "accuracy": accuracies(tops, [labels[name] for name in names]),
        "explained": explained,
        "top": dict(zip(names, tops)),
    }


# --- segmentation ---------------------------------------------------------------------------------------------------


def segmentation(tool, vit, place, g):
    """Writes the .mat file and the same set as folders, and computes the results of three methods."""
    # The short side is the model's own, so that nothing is resampled. media.py tests resampling, which may differ by
    # one level.
    sizes = [(96, 64), (64, 80), (64, 64), (120, 64), (64, 100), (77, 64), (131, 64), (64, 93)]
    samples = [picture(g, size) for size in sizes]
    for index, (photo, mask) in enumerate(samples):
        save(photo, place / "images" / f"{index:05}.png")
        save(mask, place / "masks" / f"{index:05}.png")
    write_mat(place / "gtsegs_ijcv.mat", samples)
    (place / "classnames.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    classes = tool.classes("segmentation", place)
    found = [compare(vit, classes, photo, np.asarray(mask) > 0) for photo, mask in samples]
    expected = {"top": [one["top"] for one in found]}
    for protocol in ("in_photo", "squashed"):
        expected[protocol] = [
            summary([one[protocol][method] for one in found], METHODS[method]) for method in range(3)
        ]
        values = [row["mean_iou"] for row in expected[protocol]]
        check(len({round(value, 3) for value in values}) == 3, f"{protocol}: the methods give the same result")
    return expected


def compare(vit, classes, photo, mask):
    frame, crop = vit.crop(photo)
    run = vit.run(crop)
    best = top(run.unit, classes)
    direction = classes[best] - classes.mean(0)
    tokens = sum((vit.head_tokens(run, layer) @ direction).sum(0) for layer in range(vit.layers))
    raw = run.layers[-1].attention[:, 0].mean(0)
    maps = [soft_map(scores[vit.leading :].reshape(vit.side, vit.side), vit.patch) for scores in (raw, rollout(run), tokens)]
    ys, xs = (np.floor((np.arange(64) + 0.5) * count / 64).astype(int) for count in mask.shape)
    square = mask[ys][:, xs]
    result = {"top": best, "in_photo": [], "squashed": []}
    for soft in maps:
        check(np.abs(soft - soft.mean()).min() > PIXEL_MARGIN, "a pixel is too close to the threshold")
        spread = in_photo(soft, frame)
        check(np.abs(spread - soft.mean()).min() > PIXEL_MARGIN, "a pixel of the photo is too close to the threshold")
        result["in_photo"].append(agreement(spread, spread > soft.mean(), mask))
        result["squashed"].append(agreement(soft, soft > soft.mean(), square))
    return result


def rollout(run):
    """Rollout by Abnar and Zuidema, as Chefer et al. evaluate it: from the second layer on."""
    flow = np.eye(run.layers[0].attention.shape[-1])
    for layer in run.layers[1:]:
        mixed = layer.attention.mean(0) + np.eye(len(flow))
        flow = (mixed / mixed.sum(-1, keepdims=True)) @ flow
    return flow[0]


def agreement(soft, found, mask):
    inter = [(found & mask).sum(), (~found & ~mask).sum()]
    union = [(found | mask).sum(), (~found | ~mask).sum()]
    return {"right": sum(inter), "pixels": mask.size, "inter": inter, "union": union, "ap": precision(soft, mask)}


def precision(soft, mask):
    """Equals scikit-learn's average_precision_score over the channels [1 - s, s]."""
    scores = np.concatenate([1 - soft.ravel(), soft.ravel()])
    right = np.concatenate([~mask.ravel(), mask.ravel()])
    order = np.argsort(-scores, kind="stable")
    scores, right = scores[order], right[order]
    ends = np.append(np.where(np.diff(scores) != 0)[0], len(scores) - 1)
    hits = np.cumsum(right)[ends]
    return float(np.sum(np.diff(np.insert(hits, 0, 0)) / hits[-1] * hits / (ends + 1)))


def summary(found, method):
    total = lambda key: np.sum([one[key] for one in found], axis=0)
    return {
        "method": method,
        "pixel_accuracy": float(total("right") / total("pixels")),
        "mean_iou": float((total("inter") / total("union")).mean()),
        "mean_ap": float(np.mean([one["ap"] for one in found])),
    }


def write_mat(path, samples):
    """Writes a struct `value` with cells img, gt and target like MATLAB 7.3: a header of 512 bytes, then HDF5."""
    path.unlink(missing_ok=True)
    with h5py.File(path, "w", userblock_size=512, libver="earliest") as file:
        inner, value = file.create_group("#refs#"), file.create_group("value")
        cell = lambda owner, name, rows: owner.create_dataset(name, (rows, 1), dtype=h5py.ref_dtype)
        images, masks = (cell(value, name, len(samples)) for name in ("img", "gt"))
        packed = {"compression": "gzip", "compression_opts": 3}
        for index, (photo, mask) in enumerate(samples):
            pixels = np.asarray(photo).transpose(2, 1, 0)
            images[index, 0] = inner.create_dataset(f"i{index}", data=pixels, chunks=(3, 32, 32), **packed).ref
            binary = (np.asarray(mask) > 0).astype(np.uint8).T
            one = inner.create_dataset(f"m{index}", data=binary, chunks=(32, 32), **packed)
            box = cell(inner, f"c{index}", 1)
            box[0, 0], masks[index, 0] = one.ref, box.ref
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


# --- Waterbirds -----------------------------------------------------------------------------------------------------


def waterbirds(tool, vit, place, g):
    photos = [picture(g, (int(g.choice([64, 88])), 64))[0] for _ in range(48)]
    splits = [1] * 16 + [2] * 32
    names = [f"{index // 10:03}.Bird/{index:02}.png" for index in range(len(photos))]
    for photo, name in zip(photos, names):
        save(photo, place / name)
    groups = [(index // 2 % 2, index % 2) for index in range(len(photos))]
    write_metadata(place, names, groups, splits)
    classes = tool.classes("waterbirds", place)
    direction = classes[1] - classes[0]
    means, runs = Means(vit, tool.pack / "statistics.safetensors"), runs_of(vit, photos)
    heads = np.stack([vit.heads_of(run) for run in runs])
    parts = heads @ direction
    first = vit.layers - LATE
    ranking = rank(parts, groups, [split == 1 for split in splits], first)
    proposed = [(one["layer"], one["head"]) for one in ranking[:PROPOSED] if one["place"] > 0]
    margins = []
    for run, of_picture in zip(runs, heads):
        base = run.unit + (means.heads - of_picture)[:first].sum((0, 1))
        base = base + means.mlps.sum(0) - vit.mlps_of(run).sum(0) + means.z0 - vit.z0(run)
        rows = [run.unit, base]
        for named in (BIRD_HEADS, proposed):
            rows.append(base + sum(means.heads[head] - of_picture[head] for head in named if head[0] >= first))
        margins.append([float(row @ direction) for row in rows])
    check(np.abs(margins).min() > MARGIN, "a margin is nearly 0")
    tested = [index for index, split in enumerate(splits) if split == 2]
    expected = {"rows": [], "ranking": ranking, "heads": BIRD_HEADS, "proposed": proposed, "late_layers": LATE}
    for row in range(4):
        right = [(margins[index][row] > 0) == groups[index][0] for index in tested]
        by_group = [
            float(np.mean([ok for ok, index in zip(right, tested) if groups[index] == group]))
            for group in ((0, 0), (0, 1), (1, 0), (1, 1))
        ]
        expected["rows"].append({"overall": float(np.mean(right)), "worst": min(by_group), "groups": by_group})
    check(len({tuple(row["groups"]) for row in expected["rows"]}) == 4, "the steps have no effect")
    return expected


def write_metadata(place, names, groups, splits):
    lines = ["img_id,img_filename,y,split,place,place_filename"]
    for index, (name, (y, where), split) in enumerate(zip(names, groups, splits)):
        lines.append(f"{index + 1},{name},{y},{split},{where},/x/{index}.jpg")
    (place / "metadata.csv").write_text("\n".join(lines) + "\n")


def rank(parts, groups, chosen, first):
    """Returns the mean margin at place 1 minus the one at place 0 for a fixed class, and the same by class."""
    mean = lambda layer, head, group: np.mean(
        [parts[index, layer, head] for index in range(len(groups)) if chosen[index] and groups[index] == group]
    )
    ranking = []
    for layer in range(first, parts.shape[1]):
        for head in range(parts.shape[2]):
            at = {group: mean(layer, head, group) for group in ((0, 0), (0, 1), (1, 0), (1, 1))}
            place = (at[0, 1] - at[0, 0] + at[1, 1] - at[1, 0]) / 2
            by_class = (at[1, 0] - at[0, 0] + at[1, 1] - at[0, 1]) / 2
            ranking.append({"layer": layer, "head": head, "place": float(place), "class": float(by_class)})
    return sorted(ranking, key=lambda one: -one["place"])


# --------------------------------------------------------------------------------------------------------------------


def main():
    if len(sys.argv) != 2:
        sys.exit("name the headlamp binary: python tests/reference/eval.py target/debug/headlamp")
    shutil.rmtree(path_of("eval/x").parent)
    with tempfile.TemporaryDirectory() as place:
        tool = Tool(sys.argv[1], place)
        vit = Vit(tool.pack)
        g = [np.random.default_rng(seed) for seed in SEEDS]
        folder = lambda name: path_of(f"eval/{name}/x").parent
        ablation, curve = imagenet(tool, vit, folder("imagenet"), g[0])
        expected = {
            "ablation": ablation,
            "textspan": curve,
            "segmentation": segmentation(tool, vit, folder("segmentation"), g[1]),
            "waterbirds": waterbirds(tool, vit, folder("waterbirds"), g[2]),
        }
    path_of("eval/expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    for name, value in expected.items():
        print(f"  {name}: {json.dumps({key: value[key] for key in value if key not in ('top', 'ranking')})}")


if __name__ == "__main__":
    main()
