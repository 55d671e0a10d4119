"""inspect: what is found of one set of synthetic images: quality, privacy, shortcuts."""

from __future__ import annotations

import numpy as np

from gan_core.features import NAME
from gan_core.privacy import attack, attack_by_distance, closeness, nearest
from gan_core.progress import Stopped
from gan_core.screening import near_copies, thumbnails
from gan_core.set_quality import LEAST_COMPARED, MOST_COMPARED, quality_of_set
from gan_core.shortcuts import MOST_TOLD_APART, is_warning, told_apart
from gan_core.spec.findings import Privacy, SetQuality, Shortcut
from gan_core.steps.context import Output, StepContext
from gan_core.steps.inspected import Extraction, Given, Images, Rows

NEIGHBOURS = "neighbours.npz"
MATCHED = f"{NAME} (ImageNet), matched images"
SHOWN, SHOWN_NEAREST = 16, 3
"""Fakes shown with their nearest training images, and how many of these; pairs shown."""
_BLOCK = 128


def run(context: StepContext) -> list[Output]:
    """Write ``findings.json`` and ``neighbours.npz``.

    ``findings.json`` holds "quality" (``SetQuality``), "privacy" (``Privacy``) and "shortcut"
    (``Shortcut``); null where there are too few images to say anything. In ``neighbours.npz``:

    - ``fakes`` int64 [K], the set's first images; ``rows`` int64 [K, 3], the training rows nearest
      to each; ``distances`` float64 [K, 3], ascending (of features at the GAN's size).
    - ``copy_fakes`` and ``copy_rows`` int64 [P], ``copy_rms`` float32 [P], ascending: the pairs of
      a synthetic and a training image that look most alike by their thumbnails, each synthetic
      image once; those up to ``near_copy_rms`` are the near-copies that the zip leaves out.
    """
    given = Given.of(context)
    findings: dict[str, SetQuality | Privacy | Shortcut | None] = {
        "quality": _quality(given),
        "privacy": None,
        "shortcut": None,
    }
    outputs = [Output("findings.json")]
    # A screen may have rejected all.
    if len(given.fakes):
        work = Extraction(context, given)
        findings["privacy"] = _privacy(context, given, work)
        findings["shortcut"] = _shortcut(given, work)
        outputs.append(Output(NEIGHBOURS))
    context.write_json(
        "findings.json",
        {name: None if f is None else f.model_dump(mode="json") for name, f in findings.items()},
    )
    return outputs


def _quality(given: Given) -> SetQuality | None:
    """Compare with unseen images, or with its own where there are fewer than 4 others."""
    unseen = given.unseen
    is_enough = len(unseen.rows) >= LEAST_COMPARED
    return quality_of_set(
        given.features[unseen.split][unseen.rows]
        if is_enough
        else given.features["train"][given.members],
        given.fake_features,
        given.column,
        features=MATCHED,
        against=unseen.source if is_enough else "training",
    )


def _privacy(context: StepContext, given: Given, work: Extraction) -> Privacy:
    """What the set gives away; its images' neighbours are written on the way."""
    training, count = given.dataset.images("train"), len(given.fakes)
    drawn = np.random.default_rng(given.seed).permutation(count)[:MOST_COMPARED]
    # The first ones are shown.
    fake_rows = np.union1d(drawn[: max(0, MOST_COMPARED - SHOWN)], np.arange(min(count, SHOWN)))
    learnt_rows = np.concatenate([given.members, given.others])
    fakes = work.fakes_at_size(fake_rows)
    learnt = work.real_at_size("small-training", training, learnt_rows)
    unseen = work.real_at_size(
        "small-unseen", given.dataset.images(given.unseen.split), given.unseen.rows
    )
    distances, places = nearest(fakes, learnt, SHOWN_NEAREST)
    close = closeness(distances[:, 0], nearest(unseen, learnt)[0][:, 0])
    rms, copied = near_copies(given.fakes, _thumbnails(context, training, given.compared))
    shown = len(fake_rows[fake_rows < SHOWN])
    most_alike = np.argsort(rms, kind="stable")[:SHOWN]
    np.savez(
        context.outputs / NEIGHBOURS,
        fakes=fake_rows[:shown],
        rows=learnt_rows[places[:shown]],
        distances=distances[:shown],
        copy_fakes=most_alike.astype(np.int64),
        copy_rows=given.compared[copied[most_alike]],
        copy_rms=rms[most_alike],
    )
    spent = given.card.get("privacy") or {}
    return Privacy(
        **given.column.model_dump(),
        n_fake=count,
        n_members=len(given.members),
        n_others=len(given.unseen.rows),
        others=given.unseen.source,
        nearest_ratio=close.ratio,
        share_below_first_percentile=close.share_below,
        near_copies=int((rms <= given.near_copy_rms).sum()),
        attack_by_distance=attack_by_distance(learnt[: len(given.members)], unseen, fakes),
        attack_by_discriminator=(
            attack(given.scores["members"], given.scores["others"]) if given.scores else None
        ),
        epsilon=spent.get("epsilon"),
        delta=spent.get("delta"),
    )


def _thumbnails(context: StepContext, images: Images, rows: Rows) -> Images:
    small = []
    for start in range(0, len(rows), _BLOCK):
        if context.should_stop():
            raise Stopped
        small.append(thumbnails(images[rows[start : start + _BLOCK]]))
    return np.concatenate(small)


def _shortcut(given: Given, work: Extraction) -> Shortcut | None:
    """How well real images of the rare class, the GAN's own among them, are told from the set.

    Those that the control step has brought to the GAN's size come first, so that all three figures
    are of the same images as far as there are any.
    """
    random = np.random.default_rng(given.seed)
    is_known = np.isin(given.control_rows, given.rare)
    places = random.permutation(np.flatnonzero(is_known))[:MOST_TOLD_APART]
    known = given.control_rows[places]
    more = random.permutation(np.setdiff1d(given.rare, known))
    fakes = random.permutation(len(given.fakes))[:MOST_TOLD_APART]
    count = min(MOST_TOLD_APART, len(known) + len(more), len(fakes))
    real, fakes = np.concatenate([known, more])[:count].astype(np.int64), fakes[:count]
    raw = told_apart(
        work.as_they_are("raw-training", given.dataset.images("train"), real),
        work.as_they_are("raw-fakes", given.fakes, fakes),
    )
    fake_features = given.fake_features[fakes]
    matched = told_apart(given.features["train"][real], fake_features)
    at_gan_size = told_apart(given.control_features[places], fake_features)
    if raw is None or matched is None or at_gan_size is None:
        return None
    return Shortcut(
        **given.column.model_dump(),
        n_real=count,
        n_fake=count,
        raw=raw,
        matched=matched,
        at_gan_size=at_gan_size,
        is_warning=is_warning(matched),
    )
