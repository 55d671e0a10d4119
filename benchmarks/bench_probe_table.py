"""How long the probe's whole table takes once features are there: fits, cross-fitting, judging.

    python benchmarks/bench_probe_table.py [--counts 10 25 50 100 200 300 500 800] [--seeds 10]
        [--subsets 1] [--device cpu]

Features are drawn at random in the shape of the skin lesions' (2,107 training images, 530 test
images, 1,280 features, 4 augmented copies): how many steps a fit takes hardly depends on more. At
each count ten arms are trained, six without a GAN and four of one.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from gan_core.benchmark.evaluate import BenchmarkData, Evaluation, Fakes, evaluate_arms
from gan_core.benchmark.verdict import summarise
from gan_core.progress import Progress

N_OTHER, N_RARE, N_TEST, WIDTH, COPIES = 1144, 963, 530, 1280, 4
BASE = [
    "real-only",
    "class-weights",
    "oversample",
    "classic-augment",
    "classic-augment+oversample",
    "upscale-control:64",
]
OF_GAN = ["gan:x", "gan:x+classic-augment", "gan:x@ratio", "synthetic-only:x"]


def drawn(labels: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """Features of few large and many small directions, as a network's are, and two classes."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(len(labels), 64)).astype(np.float32)
    latent[:, :8] += 0.8 * labels[:, None]
    mixing = np.random.default_rng(0).normal(size=(64, WIDTH)).astype(np.float32)
    found: NDArray[np.float32] = latent @ mixing / 8
    found += rng.normal(size=found.shape).astype(np.float32)
    return found


def inputs() -> tuple[BenchmarkData, dict[str, Fakes]]:
    labels = (np.arange(N_OTHER + N_RARE) >= N_OTHER).astype(np.int64)
    test = np.arange(N_TEST) % 2
    features = drawn(labels, 1)
    copies = np.stack([features + 0.3 * drawn(labels * 0, 10 + n) for n in range(COPIES)])

    def images(count: int) -> NDArray[np.uint8]:
        return np.zeros((count, 1, 1, 3), np.uint8)

    data = BenchmarkData(
        images(len(labels)),
        labels,
        images(N_TEST),
        test,
        1,
        features,
        drawn(test, 2),
        copies,
    )
    fakes = drawn(np.ones(N_RARE, np.int64), 3) + 0.5
    rare = np.flatnonzero(labels)
    return data, {
        "fakes": Fakes(images(N_RARE), fakes, np.stack([fakes] * COPIES)),
        "control-64": Fakes(images(N_RARE), features[rare], copy_of=rare),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--counts", nargs="+", type=int, default=[10, 25, 50, 100, 200, 300, 500, 800]
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--subsets", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    data, sources = inputs()
    columns = [(n, s) for n in arguments.counts for s in range(arguments.subsets)]
    found: list[Evaluation] = []
    started, cpu = time.perf_counter(), time.process_time()

    def tell(done: float, detail: str) -> None:
        passed = time.perf_counter() - started
        left = passed * (1 / done - 1) if done else 0.0
        print(f"\r{done:5.1%} {passed:6.1f} s, {left:6.1f} s left, {detail:40}", end="", flush=True)

    for number, (count, subset) in enumerate(columns):
        for half, arms in enumerate((BASE, OF_GAN)):

            def of_half(told: Progress, number: int = number, half: int = half) -> None:
                tell((number + (half + told.fraction) / 2) / len(columns), told.detail)

            found.append(
                evaluate_arms(
                    {"probe": arms},
                    data,
                    real_count=count,
                    real_count_label=str(count),
                    subset=subset,
                    seeds=range(arguments.seeds),
                    sources=sources,
                    fill_to=N_RARE,
                    device=arguments.device,
                    on_progress=of_half,
                )
            )
    fitted, fitted_cpu = time.perf_counter() - started, time.process_time() - cpu
    rows = [row for one in found for row in one.rows]
    scores = [line for one in found for line in one.scores]
    began = time.perf_counter()
    summaries = summarise(rows, scores, data.test_labels == data.rare_index)
    judged = time.perf_counter() - began
    print(
        f"\n{len(rows)} rows in {fitted:.1f} s ({fitted_cpu:.1f} s of processor time), scored with"
        f" their intervals, {len(summaries)} arms, in {judged:.1f} s"
    )


if __name__ == "__main__":
    main()
