"""What lies beside the images: the manifest, and the card for people."""

from __future__ import annotations

import re
from typing import Any

import yaml

from gan_core.packaging.data import Counts, PackageFacts
from gan_core.packaging.labels import DIGITAL_SOURCE_TYPE

FORMAT = "graft-synthetic-images"
FORMAT_VERSION = 1

_REASONS = {
    "near-copy": "nearly equal to a training image",
    "off-manifold": "unlike any real image of the class",
    "wrong-class": "a classifier takes it for another class",
    "alike": "resembles images that were picked already",
    "not-needed": "drawn to spare, and enough were there",
}

_SCORES = {
    "near_copy_rms": "distance of the thumbnail to the nearest training image's, grey levels",
    "distance": (
        "in ImageNet features, to the nearest real image of the class that the generator has"
        " learnt from, over the farthest that such images lie from one another but for 5%"
    ),
    "confidence": "probability of the class, of classifiers cross-fitted on real training images",
}


def manifest(
    facts: PackageFacts, counts: Counts, folders: dict[str, str], metadata_sha256: str
) -> dict[str, Any]:
    """Return ``manifest.json``: everything that is needed to make the images again."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "synthetic": True,
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        "graft_version": facts.version,
        "created_at": facts.created_at,
        "dataset": {
            "digest": facts.dataset_digest,
            "classes": facts.dataset_classes,
            "is_phantom": facts.is_phantom,
        },
        "rare_class": facts.rare_class,
        "folders": folders,
        "images": {
            **({} if facts.output_format == "png" else {"format": facts.output_format}),
            "written": counts.written,
            "by_class": counts.by_class,
            "by_model": counts.by_model,
            "left_out": [
                {"model": model, "reason": reason, "count": n}
                for (model, reason), n in sorted(counts.left_out.items())
            ],
        },
        "screening": {
            "near_copies": facts.near_copy_rms is not None,
            "near_copy_rms": facts.near_copy_rms,
            "method": "root mean square difference of 32 × 32 RGB thumbnails, grey levels 0–255",
            "scores": _SCORES,
        },
        "metadata_sha256": metadata_sha256,
        "models": [model.as_json() for model in facts.models],
        "spec": facts.spec,
        "environment": facts.environment,
        "steps": facts.steps,
    }


def standing_limits(facts: PackageFacts) -> list[str]:
    """Return the sentences that every card carries."""
    said = [
        (
            "Every image here is synthetic: made by a computer. None may be used as evidence of a"
            " disease, to teach what a disease looks like, or to diagnose."
        ),
    ]
    if facts.is_phantom:
        said.append(
            "There were phantoms, drawn pictures, among the training images. These images say"
            " nothing about any disease."
        )
    if facts.near_copy_rms is None:
        said.append(
            "No privacy analysis was made, and near-copies of training images were not looked for."
            " Treat the images as you treat the training images."
        )
    else:
        said.append(
            "No privacy analysis was made beyond the near-copy check. Images may still carry traces"
            " of the training images: treat them as you treat those."
        )
    said.append(
        "Do not test a classifier on these images: only real images that no generator has seen can"
        " tell how good it is."
    )
    return said + facts.limits


def dataset_card(facts: PackageFacts, counts: Counts, folders: dict[str, str]) -> str:
    """Return ``dataset-card.md``: Markdown with a YAML head, as dataset cards have it."""
    head = {
        "pretty_name": f"Synthetic images of {facts.rare_class}",
        "tags": ["synthetic", "gan", "image-classification"],
        "task_categories": ["image-classification"],
        "license": "other",
        "license_name": "as-agreed-with-the-owner-of-the-training-images",
    }
    lines = [
        "---",
        yaml.safe_dump(head, sort_keys=False, allow_unicode=True).strip(),
        "---",
        "",
        f"# Synthetic images of {_plain(facts.rare_class)}",
        "",
        f"{counts.written} computer-made images, made with Graft {_plain(facts.version)}"
        + (f", {_plain(facts.created_at)}" if facts.created_at else "")
        + ". No photograph is among them.",
        "",
        "## Limits",
        "",
        *(f"- {_plain(sentence)}" for sentence in standing_limits(facts)),
        "",
        "## Did they help?",
        "",
    ]
    if facts.verdicts:
        lines += [f"- {_plain(sentence)}" for sentence in facts.verdicts]
    else:
        lines.append("That was not tested.")
    lines += ["", "## What is here", "", "| folder | class | images |", "|---|---|---:|"]
    for name, n in sorted(counts.by_class.items()):
        lines.append(f"| `{folders[name]}/` | {_plain(name)} | {n} |")
    lines += ["", "## Where they come from", ""]
    lines.append("| GAN | real images | subset | images | left out | upscaler | size |")
    lines.append("|---|---:|---:|---:|---:|---|---:|")
    for model in facts.models:
        left = sum(n for (sha, _), n in counts.left_out.items() if sha == model.sha256)
        lines.append(
            f"| {_plain(model.gan)} | {model.real_count} | {model.subset} |"
            f" {counts.by_model.get(model.sha256, 0)} | {left} |"
            f" {_plain(str(model.upscale.get('engine', '')))} | {model.output_size} |"
        )
    lines += ["", *_learnt_from(facts), *_screened(facts)]
    reasons = counts.left_out_by_reason()
    lines.append("")
    if reasons:
        lines += [
            f"Left out: {n} ({_plain(_REASONS.get(reason, reason))})."
            for reason, n in reasons.items()
        ]
    elif facts.near_copy_rms is not None:
        lines.append("No image was left out by the near-copy check.")
    lines += [
        "",
        "The generators learned from the training images of one data set, with the digest",
        f"`{facts.dataset_digest}`, which had:",
        "",
        "| class | training | test |",
        "|---|---:|---:|",
    ]
    for name, splits in sorted(facts.dataset_classes.items()):
        lines.append(f"| {_plain(name)} | {splits.get('train', 0)} | {splits.get('test', 0)} |")
    lines += [
        "",
        "## Files",
        "",
        "- `metadata.jsonl`: a line an image: file name, seed, model, real count, scores, SHA-256.",
        "- `rejected.jsonl`: a line an image that was left out: seed, model, reason, scores.",
        "- `manifest.json`: settings, versions, every step's key. With it and the models, any",
        "  image can be made again bit for bit on the same kind of machine:",
        "  `graft verify synthetic.zip`.",
        "- `croissant.json`: the same for machines (MLCommons Croissant).",
        "- `SHA256SUMS`: checksums of all files: `sha256sum -c SHA256SUMS`.",
        "",
        *_labels(facts),
        "",
    ]
    return "\n".join(lines)


def _labels(facts: PackageFacts) -> list[str]:
    if facts.output_format == "png":
        return ["Every image carries the IPTC digital source type `trainedAlgorithmicMedia`."]
    return [
        "Every image is a DICOM secondary capture with `SyntheticData` (0008,001C) = YES. Its",
        "patient, study and series are made up, one of each for an image; `metadata.jsonl` names",
        "the SOP instance UID. There is no patient behind any of them.",
    ]


def _learnt_from(facts: PackageFacts) -> list[str]:
    """Return a sentence for each way in which GANs learnt from other classes, too."""
    told: dict[str, list[str]] = {}
    for model in facts.models:
        others = {k: n for k, n in model.learnt_from.items() if k != facts.rare_class}
        if others:
            counts = ", ".join(f"{n} of {_plain(name)}" for name, n in sorted(others.items()))
            who = f"{_plain(model.gan)} at {model.real_count}"
            told.setdefault(counts, []).append(who)
    return [
        f"Learnt from other classes' training images, too ({counts}): {', '.join(who)}."
        for counts, who in told.items()
    ]


def _screened(facts: PackageFacts) -> list[str]:
    """Return a sentence for each GAN whose images were chosen among more of them."""
    return [
        f"{_plain(model.gan)} at {model.real_count}, subset {model.subset}:"
        f" {model.screening['kept']} images were chosen among {model.screening['drawn']} that were"
        f" drawn, by training images alone"
        + (
            f"; {model.screening['needed']} were needed, and no more passed."
            if model.screening["is_short"]
            else "."
        )
        for model in facts.models
        if model.screening
    ]


def _plain(text: str) -> str:
    """Return a person's text so that Markdown shows it as it is, on one line."""
    line = " ".join(text.split())
    line = line.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_{}\[\]|#])", r"\\\1", line)
