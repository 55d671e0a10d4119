import json

import pytest

from gan_core.gans import registry
from gan_core.gans.infogan import InfoGAN
from gan_core.spec.errors import GraftError


def test_every_name_creates_a_gan_of_that_name() -> None:
    assert registry.names() == ("dcgan", "fastgan", "infogan", "pggan", "stylegan2")
    assert all(registry.create(name).name == name for name in registry.names())


def test_settings_go_through_json_and_back() -> None:
    gan = registry.create("infogan", image_size=48, betas=[0.4, 0.9])
    assert isinstance(gan, InfoGAN)
    assert gan.settings.betas == (0.4, 0.9)
    assert registry.create("infogan", **gan.settings_dict()).settings == gan.settings


@pytest.mark.parametrize("name", registry.names())
def test_the_default_settings_of_every_kind_are_json(name: str) -> None:
    gan = registry.create(name, image_size=32, **({} if name == "infogan" else {"width": 4}))
    again = registry.create(name, **json.loads(json.dumps(gan.settings_dict())))
    assert again.settings == gan.settings


@pytest.mark.parametrize(
    ("name", "settings", "code", "named"),
    [
        ("ingofan", {}, "unknown_gan", "infogan"),
        ("infogan", {"image_sice": 64}, "unknown_setting", "image_size"),
    ],
)
def test_unknown_words_are_refused_and_the_known_ones_named(
    name: str, settings: dict[str, int], code: str, named: str
) -> None:
    with pytest.raises(GraftError) as refused:
        registry.create(name, **settings)
    assert refused.value.code == code
    assert named in refused.value.hint
