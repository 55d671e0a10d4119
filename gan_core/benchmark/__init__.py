"""Whether synthetic images help: subsets, arms, figures, and the verdict.

Nothing is re-exported: ``from gan_core.benchmark.evaluate import evaluate_arms``.
"""
