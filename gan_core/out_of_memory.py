"""Running out of memory: how it is told from other failures, and how to go on in smaller batches.

Imports torch only where something ran out of its memory: steps without torch ask here, too.
"""

from __future__ import annotations

import gc
import logging
import re
import sys
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_log = logging.getLogger(__name__)

# The CPU's allocator, the CUDA driver ("CUDA error: out of memory"), cuBLAS and cuDNN.
_SAYS_SO = re.compile(r"can't allocate memory|out of memory|_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on a device or on the host."""
    # torch.OutOfMemoryError (of a GPU) and torch's CPU allocator raise RuntimeErrors.
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and _SAYS_SO.search(str(error)) is not None)
    )


def free_memory() -> None:
    """Give back what nothing refers to any more.

    To be called outside the ``except`` block: there the traceback still holds every tensor.
    """
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


class ShrinkingBatch:
    """The size of a batch, which is halved when memory runs out, and stays so.

    Results of another batch size are the same up to rounding: another shape may choose another
    kernel, and on a GPU another last bit.

    Attributes:
        size: Images at a time, at least 1.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def run(self, work: Callable[[int], T]) -> T:
        """Return ``work(size)``, tried again with half the size as long as memory runs out.

        Raises:
            MemoryError, RuntimeError: There was not enough memory for a single image.
        """
        while True:
            try:
                return work(self.size)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or self.size == 1:
                    raise
            self.size //= 2
            _log.warning("out of memory: going on with batches of %d", self.size)
            free_memory()
