"""Reading: a stranger's zip or a folder of classes becomes packed, metadata-free arrays."""

from gan_core.reading.dataset import PackedDataset
from gan_core.reading.index import (
    DatasetIndex,
    DuplicatePair,
    Duplicates,
    ImageRef,
    Problem,
    SplitIndex,
)
from gan_core.reading.options import ReadOptions
from gan_core.reading.pack import pack
from gan_core.reading.preview import write_preview

__all__ = [
    "DatasetIndex",
    "DuplicatePair",
    "Duplicates",
    "ImageRef",
    "PackedDataset",
    "Problem",
    "ReadOptions",
    "SplitIndex",
    "pack",
    "write_preview",
]
