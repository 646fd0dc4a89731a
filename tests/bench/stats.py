# SPDX-License-Identifier: LGPL-2.1-or-later
"""Medians, and ratios of medians with a bootstrap over paired rounds."""
import random
import statistics

REPETITIONS = 2000
SEED = 20240229  # the same samples give the same bounds


def median(values):
    return statistics.median(values)


def percentile(ordered, fraction):
    """Linear between neighbours; `ordered` is sorted and not empty."""
    at = fraction * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def ratio(numerators, denominators):
    """Ratio of the medians, with its 95 % interval. Sample i of both is of the same round, so rounds are resampled."""
    pairs = list(zip(numerators, denominators))
    if not pairs:
        return None
    rng = random.Random(SEED)
    drawn = []
    for _ in range(REPETITIONS):
        sample = rng.choices(pairs, k=len(pairs))
        drawn.append(median(n for n, _ in sample) / median(d for _, d in sample))
    drawn.sort()
    return {
        "ratio": median(n for n, _ in pairs) / median(d for _, d in pairs),
        "low": percentile(drawn, 0.025),
        "high": percentile(drawn, 0.975),
        "rounds": len(pairs),
    }


def spread(values):
    ordered = sorted(values)
    return {
        "median": median(ordered),
        "p05": percentile(ordered, 0.05),
        "p95": percentile(ordered, 0.95),
        "samples": len(ordered),
    }
