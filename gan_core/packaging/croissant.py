"""The zip's card for machines, in the format of MLCommons Croissant 1.0.

http://mlcommons.org/croissant/1.0
"""

from __future__ import annotations

import uuid
from typing import Any

from gan_core.packaging.cards import standing_limits
from gan_core.packaging.data import Counts, PackageFacts
from gan_core.packaging.names import SUFFIXES

# The context that the specification recommends (Croissant 1.0, appendix 1).
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}

_PATH = "Path of the image in the zip."

_COLUMNS = {
    "file_name": ("sc:Text", _PATH),
    "class": ("sc:Text", "The class that the image shall belong to."),
    "gan": ("sc:Text", "The generative model's kind."),
    "model": ("sc:Text", "SHA-256 of the generator's file."),
    "seed": ("sc:Integer", "The seed from which the generator drew the image."),
    "real_count": ("sc:Integer", "Real images that the generator was trained on."),
    "sha256": ("sc:Text", "SHA-256 of the image file."),
}


def croissant(
    facts: PackageFacts, counts: Counts, folders: dict[str, str], metadata_sha256: str
) -> dict[str, Any]:
    """Return ``croissant.json`` (MLCommons Croissant 1.0), with paths relative to itself."""
    # A zip has no address on the web; its own name in the urn space stands in for one.
    name = f"{facts.dataset_digest}/{metadata_sha256}"
    is_png = facts.output_format == "png"
    suffix = SUFFIXES[facts.output_format]
    includes = [f"{folders[class_name]}/*.{suffix}" for class_name in sorted(counts.by_class)]
    image = _field("images", "image", "sc:ImageObject", "The image.", _file("content"))
    description = " ".join(
        [f"{counts.written} synthetic images of “{facts.rare_class}”.", *standing_limits(facts)]
    )
    created = {"datePublished": facts.created_at} if facts.created_at else {}
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": "graft-synthetic-images",
        "description": description,
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "license": "As agreed with the owner of the training images.",
        "url": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}",
        "version": "1.0.0",
        **created,
        "creator": {"@type": "sc:Organization", "name": f"made with Graft {facts.version}"},
        "keywords": ["synthetic", "gan", facts.rare_class],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "metadata.jsonl",
                "name": "metadata.jsonl",
                "description": "A line an image.",
                "contentUrl": "metadata.jsonl",
                "encodingFormat": "application/jsonlines",
                "sha256": metadata_sha256,
            },
            {
                "@type": "cr:FileSet",
                "@id": "image-files",
                "name": "image-files",
                "description": "The synthetic images.",
                "encodingFormat": "image/png" if is_png else "application/dicom",
                "includes": includes,
            },
        ],
        # Two sets, joined by "file_name": readers do not agree on how a file's path is compared.
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "metadata",
                "name": "metadata",
                "description": "What is known of each image.",
                "key": {"@id": "metadata/file_name"},
                "field": [
                    _field("metadata", name, kind, text, _column(name))
                    for name, (kind, text) in _COLUMNS.items()
                ],
            },
            {
                "@type": "cr:RecordSet",
                "@id": "images",
                "name": "images",
                "description": "The images themselves.",
                "key": {"@id": "images/file_name"},
                "field": [
                    _field("images", "file_name", "sc:Text", _PATH, _file("fullpath")),
                    # Readers decode an ImageObject, and of DICOM they know nothing.
                    *([image] if is_png else []),
                ],
            },
        ],
    }


def _field(
    records: str, name: str, data_type: str, description: str, source: dict[str, Any]
) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{records}/{name}",
        "name": name,
        "description": description,
        "dataType": data_type,
        "source": source,
    }


def _column(name: str) -> dict[str, Any]:
    return {"fileObject": {"@id": "metadata.jsonl"}, "extract": {"column": name}}


def _file(part: str) -> dict[str, Any]:
    return {"fileSet": {"@id": "image-files"}, "extract": {"fileProperty": part}}
