"""pretrain: a GAN learns from the common classes, before another step turns it to the rare one.

Learning what all classes share first, and the rare class then: Su et al., 2024, found it better on
skin lesions than training one GAN with labels. A test image is never among what is learnt from, nor
is an image of the rare class that the column of the study may not see.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gan_core.benchmark.subsets import nested_subset, training_pool
from gan_core.gans.registry import create
from gan_core.leaks import left_out
from gan_core.progress import if_slow, part
from gan_core.reading import PackedDataset
from gan_core.steps.context import Output, StepContext
from gan_core.steps.live import CourseWriter
from gan_core.training.fit import fit_to_size
from gan_core.training.loop import TrainConfig, train
from gan_core.training.start import Start

NETWORKS = "networks.safetensors"
"""All networks as the training left them, the generator's moving average in the generator's place.
"""
NOTE = "pretrained.json"
"""What they were trained on, for the cards of the models that come of them."""


def rows_to_learn_from(
    labels: NDArray[np.int64],
    rare_index: int,
    images: Literal["other-classes", "all-classes"],
    real_count: int | None = None,
    subset: int | None = None,
    *,
    without: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Choose the training images of a pretraining.

    Args:
        labels: int64 [N], class of each training image.
        rare_index: The rare class.
        images: "other-classes" takes no image of the rare class at all; "all-classes" the subset of
            it that the study's column may see, too.
        real_count: Images in that subset; of "all-classes" alone.
        subset: Its seed; of "all-classes" alone.
        without: Rows that nothing may learn from.

    Returns:
        int64, rows of ``labels`` in ascending order.
    """
    out = np.empty(0, np.int64) if without is None else without
    if images == "other-classes":
        return training_pool(labels, rare_index, np.empty(0, np.int64), without=out)
    if real_count is None or subset is None:
        raise ValueError("all-classes needs the column's real count and subset")
    chosen = nested_subset(labels, rare_index, real_count, subset, without=out)
    return training_pool(labels, rare_index, chosen, without=out)


def run(context: StepContext) -> list[Output]:
    """Write the networks, and a note on what they were trained on."""
    params = context.params
    dataset = PackedDataset.open(context.inputs["dataset"])
    labels = dataset.labels("train")
    rare_index = dataset.classes.index(params["rare_class"])
    rows = rows_to_learn_from(
        labels,
        rare_index,
        params["images"],
        params.get("real_count"),
        params.get("subset"),
        without=left_out(dataset, params),
    )
    images = fit_to_size(
        dataset.images("train")[rows],
        params["image_size"],
        on_progress=if_slow(part(context.on_progress, 0.0, 0.0)),
        should_stop=context.should_stop,
    )
    gan = create(params["gan"], image_size=params["image_size"], **params.get("settings", {}))
    config = TrainConfig(
        batch_size=params["batch_size"],
        epochs=params["epochs"],
        seed=params["seed"],
        ema_decay=params["ema_decay"],
        snapshots=0,
        checkpoint_seconds=context.settings.checkpoint_seconds,
        label=f"{params['gan']}, {len(rows)} images of {params['images'].replace('-', ' ')}",
    )
    show = CourseWriter(context, config.label)
    result = train(
        gan,
        images,
        config,
        device=context.settings.torch_device(),
        data_digest=dataset.digest,
        checkpoint_dir=context.checkpoints,
        on_progress=context.on_progress,
        should_stop=context.should_stop,
        on_course=show,
        on_notice=context.on_notice,
    )
    Start.of(gan, result.model.weights).save(context.outputs / NETWORKS)
    note: dict[str, Any] = {
        "images": {
            name: int((labels[rows] == index).sum()) for index, name in enumerate(dataset.classes)
        },
        "step": result.model.step,
        "training": params,
    }
    if result.notices:
        note["notices"] = result.notices
    context.write_json(NOTE, note)
    return [
        Output(NETWORKS),
        Output(NOTE, media_type="application/json"),
        *show.finish(result.ended),
    ]
