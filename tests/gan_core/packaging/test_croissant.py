from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def croissant(package: Path) -> dict[str, Any]:
    with zipfile.ZipFile(package) as archive:
        value: dict[str, Any] = json.loads(archive.read("croissant.json"))
    return value


def test_what_the_specification_requires_of_a_dataset_is_there(croissant: dict[str, Any]) -> None:
    assert croissant["@type"] == "sc:Dataset"
    assert croissant["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert croissant["@context"]["cr"] == "http://mlcommons.org/croissant/"
    for name in ("name", "description", "license", "url", "creator", "datePublished"):
        assert croissant[name]


def test_its_files_are_those_of_the_zip(croissant: dict[str, Any], package: Path) -> None:
    metadata, images = croissant["distribution"]
    with zipfile.ZipFile(package) as archive:
        assert (
            metadata["sha256"] == hashlib.sha256(archive.read(metadata["contentUrl"])).hexdigest()
        )
    assert images["includes"] == ["malignant/*.png"]
    assert images["encodingFormat"] == "image/png"


def test_its_fields_are_columns_of_the_metadata(croissant: dict[str, Any], package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        line = json.loads(archive.read("metadata.jsonl").splitlines()[0])
    kinds = {"sc:Text": str, "sc:Integer": int}
    for field in croissant["recordSet"][0]["field"]:
        column = field["source"]["extract"]["column"]
        assert isinstance(line[column], kinds[field["dataType"]])


def test_every_reference_names_something_and_ids_are_unique(croissant: dict[str, Any]) -> None:
    defined: list[str] = []
    referred: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "@id" in value:
                (defined if "@type" in value else referred).append(value["@id"])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk({name: value for name, value in croissant.items() if name != "@context"})
    assert len(set(defined)) == len(defined)
    assert set(referred) <= set(defined)


def test_it_says_that_the_images_are_synthetic(croissant: dict[str, Any]) -> None:
    assert "synthetic" in croissant["keywords"]
    assert "Every image here is synthetic" in croissant["description"]
