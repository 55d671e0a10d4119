"""features: the frozen ImageNet features of every image of the data set, computed once."""

from __future__ import annotations

from gan_core.features import FeatureExtractor
from gan_core.progress import part
from gan_core.reading import PackedDataset
from gan_core.reading.dataset import Split
from gan_core.resumable import publish
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
        # Built among the checkpoints, so that an interrupted step goes on where it was.
        made = context.checkpoints / f"{split}.npy"
        extractor.extract_into(
            made,
            dataset.images(split),
            f"{dataset.digest} {split}",
            on_progress=part(context.on_progress, start, end),
            should_stop=context.should_stop,
        )
        publish(made, context.outputs / f"{split}.npy")
        start = end
    context.write_json("extractor.json", {"name": extractor.name})
    return [Output("train.npy"), Output("test.npy"), Output("extractor.json")]
