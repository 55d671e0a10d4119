"""features: the frozen ImageNet features of every image of the data set, computed once."""

from __future__ import annotations

import numpy as np

from gan_core.features import FeatureExtractor
from gan_core.progress import part
from gan_core.reading import PackedDataset
from gan_core.reading.dataset import Split
from gan_core.steps.context import Output, StepContext


def run(context: StepContext) -> list[Output]:
    """Write ``train.npy`` and ``test.npy``, float32 [N, 1280]."""
    dataset = PackedDataset.open(context.inputs["dataset"])
    extractor = FeatureExtractor(device=context.settings.torch_device())
    splits: tuple[Split, ...] = ("train", "test")
    sizes = [len(dataset.labels(split)) for split in splits]
    start = 0.0
    for split, size in zip(splits, sizes, strict=True):
        end = start + size / sum(sizes)
        features = extractor.extract(
            dataset.images(split),
            on_progress=part(context.on_progress, start, end),
            should_stop=context.should_stop,
        )
        np.save(context.outputs / f"{split}.npy", features, allow_pickle=False)
        start = end
    context.write_json("extractor.json", {"name": extractor.name})
    return [Output("train.npy"), Output("test.npy"), Output("extractor.json")]
