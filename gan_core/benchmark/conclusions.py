"""One sentence for each real count, over all GANs, their arms and the classifiers.

Concluded is by the classifier that is strongest without synthetic images, by ROC-AUC on held-out
real training images: that a weak classifier gains from a GAN what a strong one has without it is
no reason to train a GAN. Verdicts are corrected for their number over the whole table, so any of
them may be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gan_core.benchmark import sentences
from gan_core.spec.results import Conclusion, Verdict

_STRONGEST_BY_EXPERIENCE = ("probe", "finetune", "seed-cnn")


def conclude(
    verdicts: Sequence[Verdict], bars: Mapping[tuple[str, int, str], float | None]
) -> list[Conclusion]:
    """Conclude at every real count.

    Args:
        verdicts: Of the whole table.
        bars: By (classifier, real count, its label): what the strongest arm without a GAN reaches
            in ROC-AUC on held-out real training images, where it is known.

    Returns:
        The fewest images first.
    """
    by_count: dict[tuple[int, str], list[Verdict]] = {}
    for verdict in verdicts:
        by_count.setdefault((verdict.real_count, verdict.real_count_label), []).append(verdict)
    return [
        _conclusion(of_count, bars) for _, of_count in sorted(by_count.items(), key=lambda c: c[0])
    ]


def _strongest(
    of_count: Sequence[Verdict], bars: Mapping[tuple[str, int, str], float | None]
) -> str:
    names = list(dict.fromkeys(v.classifier for v in of_count))
    first = of_count[0]
    reached = {name: bars.get((name, first.real_count, first.real_count_label)) for name in names}
    known = {name: auc for name, auc in reached.items() if auc is not None}
    if known:
        return max(known, key=lambda name: known[name])
    return next((name for name in _STRONGEST_BY_EXPERIENCE if name in names), names[0])


def _adds(verdict: Verdict) -> bool:
    """Whether the arm asks if adding images helps, not if they can replace real ones."""
    return not _spoken(verdict).replaces_real_images


def _spoken(verdict: Verdict) -> sentences.GanArm:
    return sentences.GanArm(verdict.arm, verdict.gan, verdict.ratio)


def _surest(verdicts: Sequence[Verdict]) -> Verdict:
    return min(verdicts, key=lambda v: 1.0 if v.p_holm is None else v.p_holm)


def _conclusion(
    of_count: Sequence[Verdict], bars: Mapping[tuple[str, int, str], float | None]
) -> Conclusion:
    classifier = _strongest(of_count, bars)
    own = [v for v in of_count if v.classifier == classifier]
    added = [v for v in own if _adds(v)] or own
    plain = [v for v in added if v.arm == f"gan:{v.gan}"]
    tested = [v for v in added if v.outcome != "not-tested"]
    helping = [v for v in added if v.outcome == "helps"]
    harming = [v for v in plain if v.outcome == "harms"]
    if not tested:
        told = added[0]
    elif helping or harming:
        told = _surest(helping or harming)
    else:
        # Of what changed nothing, the plain arm stands for the others.
        told = next((v for v in plain if v in tested), tested[0])
        told = told.model_copy(update={"outcome": "no-significant-difference"})
    return Conclusion(
        real_count=told.real_count,
        real_count_label=told.real_count_label,
        outcome=told.outcome,
        sentence=sentences.conclusion_sentence(
            _spoken(told),
            sentences.real_images(told.real_count, told.real_count_label),
            told,
            tried=[_spoken(v) for v in tested],
        ),
        classifier=classifier,
        gan=told.gan,
        arm=told.arm,
        caveats=_caveats(told, own, [v for v in of_count if v.classifier != classifier]),
    )


def _caveats(told: Verdict, own: Sequence[Verdict], others: Sequence[Verdict]) -> list[str]:
    found = list(told.caveats)
    claimed = ("helps", "harms")
    for verdict in own:
        differs = verdict.arm != told.arm or verdict.outcome != told.outcome
        if differs and verdict.outcome in claimed and _adds(verdict):
            found.append(sentences.beside(_spoken(verdict), verdict.classifier, verdict.outcome))
    for verdict in others:
        disagrees = verdict.outcome in claimed and verdict.outcome != told.outcome
        if disagrees and _adds(verdict):
            found.append(sentences.beside(_spoken(verdict), verdict.classifier, verdict.outcome))
    # A claim that no other classifier shares is told as one.
    for classifier in dict.fromkeys(v.classifier for v in others):
        of_it = [v for v in others if v.classifier == classifier and v.arm == told.arm]
        if told.outcome in claimed and of_it and of_it[0].outcome == "no-significant-difference":
            found.append(sentences.beside(_spoken(told), classifier, of_it[0].outcome))
    return list(dict.fromkeys(found))
