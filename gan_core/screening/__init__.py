"""Which synthetic images are taken and which never leave: nothing here looks at a test image."""

from __future__ import annotations

from gan_core.screening.copies import near_copies, thumbnails, thumbnails_of

__all__ = ["near_copies", "thumbnails", "thumbnails_of"]
