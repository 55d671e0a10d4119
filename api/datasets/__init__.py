"""Data sets: uploading them, and looking at them."""
