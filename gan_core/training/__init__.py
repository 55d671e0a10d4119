"""Training any GAN: the loop, its precision, the moving average, checkpoints.

Nothing is re-exported: ``from gan_core.training.loop import train``.
"""
