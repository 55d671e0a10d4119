"""Graft's science: reading images, GANs, training, generating, upscaling, classifiers, reports.

A library and a command line of its own; it knows nothing of HTTP, queues or databases.
"""

__version__ = "0.1.0"
