"""The table of settings says what the kinds of GAN themselves say."""

import dataclasses
import math
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from gan_core.gans import registry
from gan_core.spec import GanSpec, GraftError
from gan_core.spec.gan_settings import GAN_SETTINGS, refusal, settings_schemas

NOT_FOR_A_JOB = {"image_size", "classes", "drawn_class"}
"""Fields of the kinds' settings that a job says elsewhere."""

# Around every limit that there is, and things of another type.
TRIED: list[Any] = [
    *(-1, 0, 1, 2, 3, 16, 17, 64, 65, 512, 513, 1000, 1001, 1024, 1025),
    *(-0.1, 0.0, 1e-6, 0.5, 1.0, 1.001, 10.0, 10.1, math.nan, math.inf, 10**400, -(10**400)),
    *(True, "none", "ada", "diffaugment", "hinge", "relativistic", "group", "mixup", ""),
    *([], [0.5], [0.5, 0.9], [0, 0.9], [0.5, 1.0], [0.5, 0.9, 0.9], [16, 8], [16, 0], [1025]),
    *([True, 2], ["a", "b"]),
]


def by_the_kind(gan: str, settings: dict[str, Any]) -> bool:
    """Whether the kind's own settings accept these."""
    values = {n: tuple(v) if isinstance(v, list) else v for n, v in settings.items()}
    try:
        registry._KINDS[gan].settings_type(**values)
    except GraftError as error:
        return error.code != "setting_out_of_range"
    return True


@pytest.mark.parametrize("gan", registry.names())
def test_the_table_has_the_kinds_settings_with_their_defaults(gan: str) -> None:
    fields = {
        field.name: list(field.default) if isinstance(field.default, tuple) else field.default
        for field in dataclasses.fields(registry._KINDS[gan].settings_type)
        if field.name not in NOT_FOR_A_JOB
    }
    assert fields == {name: setting.default for name, setting in GAN_SETTINGS[gan].items()}


@pytest.mark.parametrize(
    ("gan", "name"), [(gan, name) for gan in GAN_SETTINGS for name in GAN_SETTINGS[gan]]
)
def test_the_table_accepts_and_refuses_what_the_kind_does(gan: str, name: str) -> None:
    verdicts = set()
    # These two have a limit together, too, which GanSpec knows: each is tried beside a 0.
    beside = {"blend_start": {"blend_length": 0}, "blend_length": {"blend_start": 0}}.get(name, {})
    for value in TRIED:
        accepted = refusal(gan, {name: value}) is None
        assert accepted == by_the_kind(gan, {name: value, **beside}), value
        verdicts.add(accepted)
    assert verdicts == {True, False}


@pytest.mark.parametrize("gan", registry.names())
def test_a_form_made_of_the_schema_accepts_what_a_job_does(gan: str) -> None:
    """But for 1.0 where 1 is meant, which JSON schema takes for the same."""
    schema = settings_schemas()[gan]
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    verdicts = set()
    for name, value in ((n, v) for n in GAN_SETTINGS[gan] for v in TRIED):
        if isinstance(value, float) and (not math.isfinite(value) or value.is_integer()):
            continue
        if isinstance(value, int) and abs(value) > 10**300:
            continue
        accepted = validator.is_valid({name: value})
        assert accepted == (refusal(gan, {name: value}) is None), (name, value)
        verdicts.add(accepted)
    assert verdicts == {True, False}
    shown = GanSpec.model_json_schema()["properties"]["settings"]["x-by"]
    assert shown["schemas"][gan] == schema
    assert shown["field"] == "name"


@pytest.mark.parametrize("gan", registry.names())
def test_settings_of_a_spec_reach_the_kind_as_they_were_given(gan: str) -> None:
    given = {
        name: setting.default
        for name, setting in GAN_SETTINGS[gan].items()
        if setting.default is not None
    }
    conditional = "late" if "blend_start" in given else "none"
    spec = GanSpec(name=gan, settings=given, conditional=conditional)  # type: ignore[arg-type]
    read = GanSpec.model_validate_json(spec.model_dump_json())
    assert by_the_kind(gan, read.settings)
    assert read.settings == given
    assert {n: type(v) for n, v in read.settings.items()} == {n: type(v) for n, v in given.items()}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"settings": {"width": 1}}, "width must be a whole number from 2 to 512, not 1"),
        ({"settings": {"loss": "wasserstein"}}, "loss must be one of non-saturating"),
        ({"settings": {"betas": [0.5]}}, "betas must be two numbers"),
        ({"settings": {"image_size": 64}}, "has no setting 'image_size'; it has latent_dim"),
        ({"settings": {"batches": [8]}}, "has no setting 'batches'"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_it_may_be(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match="fastgan") as refused:
        GanSpec.model_validate({"name": "fastgan"} | fields)
    assert said in str(refused.value)
