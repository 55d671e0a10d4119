"""The reference page that is written from the models."""

from __future__ import annotations

from pathlib import Path

from gan_core.spec import JobSpec
from gan_core.spec.document import document

PAGE = Path(__file__).parents[3] / "docs" / "job-spec-fields.md"


def test_the_committed_page_is_the_one_that_the_models_give() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), (
        "run: python -m gan_core.spec.document > docs/job-spec-fields.md"
    )


def test_every_field_of_every_model_stands_on_the_page() -> None:
    page = document()
    schema = JobSpec.model_json_schema()
    for model in (schema, *schema["$defs"].values()):
        for name in model["properties"]:
            assert f"| `{name}` |" in page


def test_limits_and_defaults_are_in_words() -> None:
    page = document()
    assert "| `image_size` | integer (≥ 32, ≤ 256, a multiple of 16) | `112` |" in page
    assert "| `dataset_id` | string (at least 1 long, at most 64 long) | required |" in page
