"""What a person asks for, and the steps that it takes: one definition for the whole house.

The API's request body, the JSON stored with a job, the worker's input and the command line's file
are all the models of this package. It imports neither torch nor numpy, so that the API starts
in a second.
"""

from gan_core.spec.arms import BenchmarkSpec, FinetuneSpec, SeedCnnSpec
from gan_core.spec.device import DeviceFacts
from gan_core.spec.errors import GraftError
from gan_core.spec.images import ImagesSpec, InterpolateSpec, ModelSource
from gan_core.spec.job import (
    GanSpec,
    JobSpec,
    OutputSpec,
    ScheduleRow,
    ScreenSpec,
    StudyScreenSpec,
    StudySpec,
    UpscaleSpec,
)
from gan_core.spec.plan import plan_study
from gan_core.spec.plan_images import plan_images
from gan_core.spec.profiles import PROFILES, resolve
from gan_core.spec.results import ArmSummary, Conclusion, Interval, ResultRow, Results, Verdict
from gan_core.spec.speeds import Speed, Speeds
from gan_core.spec.steps import DatasetFacts, Plan, PlannedStep, StepInput

__all__ = [
    "PROFILES",
    "ArmSummary",
    "BenchmarkSpec",
    "Conclusion",
    "DatasetFacts",
    "DeviceFacts",
    "FinetuneSpec",
    "GanSpec",
    "GraftError",
    "ImagesSpec",
    "InterpolateSpec",
    "Interval",
    "JobSpec",
    "ModelSource",
    "OutputSpec",
    "Plan",
    "PlannedStep",
    "ResultRow",
    "Results",
    "ScheduleRow",
    "ScreenSpec",
    "SeedCnnSpec",
    "Speed",
    "Speeds",
    "StepInput",
    "StudyScreenSpec",
    "StudySpec",
    "UpscaleSpec",
    "Verdict",
    "plan_images",
    "plan_study",
    "resolve",
]
