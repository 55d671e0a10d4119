"""Phantoms: lesion-like pictures drawn by a computer, to try everything without medical images."""

from gan_core.phantoms.drawing import KINDS, PhantomKind, draw_phantom
from gan_core.phantoms.writing import DEFAULT_COUNTS, Counts, draw_phantoms

__all__ = ["DEFAULT_COUNTS", "KINDS", "Counts", "PhantomKind", "draw_phantom", "draw_phantoms"]
