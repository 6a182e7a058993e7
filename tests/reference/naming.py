"""Names for heads as docs/PAPERS.md states them (1.15), in exact fractions.

The p-value is computed in two ways, neither of which is headlamp's: by listing every possible draw of texts from a small
pool, and by counting the texts that belong to the property first (hypergeometric) and their places afterwards.
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, combinations, permutations
from math import comb

import numpy as np

from places import check, save_f64

TEXTS = 10
FIRST = 5
LEVEL = Fraction(1, 20)
# No text of the pool has this property.
NONE = -1
# A head with fewer than ten texts.
ABSENT = -2


@dataclass
class Head:
    properties: list  # of each text, in TextSpan's order
    weights: list  # in millionths of their sum


@dataclass
class Result:
    shares: list
    leading: int
    p: Fraction
    consistency: Fraction


# --- one head -----------------------------------------------------------------------------------------------


def result(head, counts, size, p_value):
    whole = sum(head.weights)
    sums = [sum(w for g, w in zip(head.properties, head.weights) if g == of) for of in range(len(counts))]
    if whole == 0 or max(sums) == 0:
        return Result([Fraction(0)] * len(counts), NONE, Fraction(1), Fraction(0))
    leading = max(range(len(counts)), key=lambda g: (sums[g], -counts[g], -g))
    return Result(
        [Fraction(share, whole) for share in sums],
        leading,
        p_value(head.weights, leading, sums[leading], counts, size),
        Fraction(head.properties[:FIRST].count(leading), FIRST),
    )


def tail(weights, count, size):
    """Returns {sum: probability of this sum or more} of a property with `count` of `size` texts."""
    drawn, chance = len(weights), {}
    for inside in range(drawn + 1):
        number = Fraction(comb(count, inside) * comb(size - count, drawn - inside), comb(size, drawn))
        for places in combinations(range(drawn), inside):
            total = sum(weights[place] for place in places)
            chance[total] = chance.get(total, 0) + number / comb(drawn, inside)
    sums = sorted(chance, reverse=True)
    return dict(zip(sums, accumulate(chance[total] for total in sums)))


def p_value(weights, leading, share, counts, size):
    observed = tail(weights, counts[leading], size)[share]
    return min(Fraction(1), sum(level_reached(tail(weights, count, size), observed) for count in counts))


def level_reached(tail, observed):
    return max((p for p in tail.values() if p <= observed), default=Fraction(0))


def p_value_by_listing(weights, leading, share, counts, size):
    """The same from every ordered draw of a small pool."""
    pool = [g for g, count in enumerate(counts) for _ in range(count)]
    pool += [NONE] * (size - len(pool))
    draws = [[pool[text] for text in texts] for texts in permutations(range(size), len(weights))]
    sums = [[sum(w for g, w in zip(draw, weights) if g == of) for of in range(len(counts))] for draw in draws]

    def tail_of(g):
        column = [draw[g] for draw in sums]
        return {least: Fraction(sum(total >= least for total in column), len(draws)) for least in set(column)}

    tails = [tail_of(g) for g in range(len(counts))]
    observed = tails[leading][share]
    parts = [Fraction(sum(tails[g][draw[g]] <= observed for draw in sums), len(draws)) for g in range(len(counts))]
    return min(Fraction(1), sum(parts))


# --- all heads ----------------------------------------------------------------------------------------------


def names(results, level=LEVEL):
    """The procedure of Benjamini and Hochberg."""
    ordered = sorted(result.p for result in results)
    passed = [p for rank, p in enumerate(ordered, 1) if p <= level * rank / len(ordered)]
    threshold = max(passed, default=-1)
    return [result.leading if result.p <= threshold and result.leading >= 0 else NONE for result in results]


def consistency(results, names):
    named = [result.consistency for result, name in zip(results, names) if name != NONE]
    return sum(named) / len(named) if named else Fraction(0)


def entanglement(results):
    pairs = list(combinations(results, 2))
    return sum(sum(map(min, a.shares, b.shares)) for a, b in pairs) / len(pairs)


# --- the cases ----------------------------------------------------------------------------------------------


def random_weights(g, count, decay):
    """Returns weights that fall, as integers with the sum 1,000,000."""
    raw = decay ** np.arange(count) * g.uniform(0.7, 1.3, count)
    weights = np.sort(np.floor(raw / raw.sum() * 1e6).astype(int))[::-1]
    weights[0] += 1_000_000 - weights.sum()
    return [int(weight) for weight in weights]


def small(g):
    """A pool of eight texts: three of property 0, two of property 1, one of property 2, two of none."""
    heads = [Head([0, 0, 0, 1], [400_000, 300_000, 200_000, 100_000])]
    heads += [Head([1, 1, 0, NONE], [400_000, 300_000, 200_000, 100_000])]
    heads += [Head([2, 0, NONE, 1], [250_000] * 4)]
    heads += [Head([0, 1, 0, 2], [400_000, 400_000, 100_000, 100_000])]
    heads += [Head([NONE, NONE], [600_000, 400_000])]
    heads += [Head([], [])]
    return [3, 2, 1], 8, heads


def large(g):
    """A pool like the default one: sizes from 95 to 423, and 200 texts without a property."""
    counts = [156, 109, 234, 143, 247, 129, 98, 186, 220, 185, 136, 236, 178, 126, 187, 133, 207, 423, 95, 131, 106]
    size = sum(counts) + 200
    share = np.array(counts + [200]) / size

    def head(property, inside, count=TEXTS, decay=0.75):
        """A head with `property` at the places `inside`, and random properties at the others."""
        others = [int(g.choice(len(share), p=share)) for _ in range(count)]
        drawn = [property if place in inside else others[place] for place in range(count)]
        return Head([NONE if of == len(counts) else of for of in drawn], random_weights(g, count, decay))

    pure = [head(p, range(TEXTS)) for p in (0, 6, 17)]
    clear = [head(p, inside) for p, inside in ((4, (0, 1, 2, 4)), (8, (0, 1, 3)), (17, (1, 2, 3, 4)), (2, (0, 2, 5)))]
    slight = [head(p, inside) for p, inside in ((11, (0, 1)), (18, (2, 3)), (17, (0, 4)), (3, (1, 2)), (5, (0, 3)))]
    mixed = [head(0, ()) for _ in range(14)]
    short = [head(9, (0, 1, 2), count=4), head(9, (), count=3), head(20, (0,), count=1)]
    steep = [head(12, (0, 3), decay=0.1)]
    return counts, size, pure + clear + slight + mixed + short + steep + [Head([], [])]


# --- checks that a fixture is fair and sensitive -------------------------------------------------------------


def check_fair(name, results, counts):
    for result in results:
        ordered = sorted(result.shares, reverse=True)
        check(result.leading == NONE or ordered[0] != ordered[1] or name == "small", f"{name}: two properties lead")
    ordered = sorted(result.p for result in results)
    limits = [LEVEL * rank / len(ordered) for rank in range(1, len(ordered) + 1)]
    gaps = [abs(float(p - limit)) for p, limit in zip(ordered, limits)]
    check(min(gaps) > 1e-5, f"{name}: a p-value lies at its limit")


def check_telling(results, counts, size, heads):
    """Checks that likely mistakes change the names or the p-values."""
    right = names(results)
    check([r.leading if r.p <= LEVEL else NONE for r in results] != right, "without a correction for many heads")
    check([r.leading if r.p <= LEVEL / len(results) else NONE for r in results] != right, "with Bonferroni")
    for mistake, other in {
        "with the share's own probability only": lambda w, g, s, c, n: tail(w, c[g], n)[s],
        "with the number of properties as the factor": lambda w, g, s, c, n: tail(w, c[g], n)[s] * len(c),
        "with replacement": lambda w, g, s, c, n: p_value(w, g, s, [1000 * k for k in c], 1000 * n),
        "without the texts of no property": lambda w, g, s, c, n: p_value(w, g, s, c, sum(c)),
    }.items():
        wrong = [result(head, counts, size, other).p for head in heads]
        far = max(abs(float(p / r.p) - 1) for p, r in zip(wrong, results))
        check(far > 1e-3, f"p-values are the same {mistake}")


def save(name, counts, size, heads, results):
    def padded(values, fill):
        return np.array([list(value) + [fill] * (TEXTS - len(value)) for value in values])

    given = names(results)
    save_f64(
        f"naming/{name}",
        {
            "counts": np.array(counts),
            "size": np.array([size]),
            "properties": padded([head.properties for head in heads], ABSENT),
            "weights": padded([head.weights for head in heads], 0) / 1e6,
            "shares": np.array([[float(share) for share in result.shares] for result in results]),
            "leading": np.array([result.leading for result in results]),
            "p": np.array([float(result.p) for result in results]),
            "consistency": np.array([float(result.consistency) for result in results]),
            "names": np.array(given),
            "model": np.array([float(consistency(results, given)), float(entanglement(results))]),
        },
    )


def main():
    g = np.random.default_rng(1115)
    counts, size, heads = small(g)
    results = [result(head, counts, size, p_value) for head in heads]
    listed = [result(head, counts, size, p_value_by_listing) for head in heads]
    check(results == listed, "listing all draws gives other p-values")
    check_fair("small", results, counts)
    save("small", counts, size, heads, results)
    counts, size, heads = large(g)
    results = [result(head, counts, size, p_value) for head in heads]
    check_fair("large", results, counts)
    check_telling(results, counts, size, heads)
    given = names(results)
    for head, r, name in zip(heads, results, given):
        print(f"  {head.properties} leading {r.leading} p {float(r.p):.2e} name {name}")
    check(given[:3] == [0, 6, 17], "pure heads have no name")
    check(NONE in given and given[-1] == NONE, "the empty head has a name")
    save("large", counts, size, heads, results)


if __name__ == "__main__":
    main()
