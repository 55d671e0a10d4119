"""Images that occur twice: what they are, and what was done about them."""

from __future__ import annotations

from typing import Any

from gan_core.report.data import ReportData
from gan_core.report.pictures import data_uri, fitted
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.findings import LeakPair

_SIZE = 144


def leaks_view(data: ReportData, text: Text = ENGLISH, quality: int = 88) -> dict[str, Any] | None:
    """Return the sentences, the table and the pictures; None where no pair was looked for.

    Args:
        data: The report's data.
        text: The texts.
        quality: JPEG quality of the pictures, 1 to 95.
    """
    leaks = data.results.leaks
    if leaks is None:
        return None
    n = leaks.training_images_of_test
    said = [text({0: "leaks_training_none", 1: "leaks_training_one"}.get(n, "leaks_training"), n=n)]
    if n:
        said.append(text("leaks_left_out" if leaks.left_out else "leaks_kept"))
    if not leaks.is_complete:
        said.append(text("leaks_incomplete"))
    return {
        "said": " ".join(said),
        "pairs": [
            {
                "first": data_uri(fitted(picture.first[None], _SIZE)[0], quality),
                "second": data_uri(fitted(picture.second[None], _SIZE)[0], quality),
                "first_alt": text("leaks_alt", entry=picture.pair.entries[0]),
                "second_alt": text("leaks_alt", entry=picture.pair.entries[1]),
                **_told(picture.pair, text),
            }
            for picture in data.leaks
        ],
        "rows": [_told(pair, text) for pair in leaks.pairs],
    }


def _told(pair: LeakPair, text: Text) -> dict[str, Any]:
    places = [
        text("leaks_place", entry=entry, split=text.named("split", split), name=name)
        for entry, split, name in zip(pair.entries, pair.splits, pair.classes, strict=True)
    ]
    return {
        "kind": text(f"leaks_kind:{pair.kind}"),
        "rms": f"{pair.rms:.1f}",
        "places": places,
        "is_grave": len({*pair.splits}) > 1 or len({*pair.classes}) > 1,
    }
