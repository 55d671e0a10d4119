"""The steps of a job: one file a kind, each a function from a folder of inputs to one of outputs.

``python -m gan_core run STEP_DIR`` runs one as a child process (``protocol.py``); ``study.py``
runs a whole study's steps one after the other in this process.
"""

from gan_core.steps.context import Output, StepContext, StepSettings
from gan_core.steps.run import load_step, run_step

__all__ = ["Output", "StepContext", "StepSettings", "load_step", "run_step"]
