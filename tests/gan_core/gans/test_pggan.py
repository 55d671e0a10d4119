from typing import Any

import pytest
import torch
from torch import Tensor

from gan_core.gans.losses import gradient_penalty
from gan_core.gans.noise import truncated
from gan_core.gans.pggan import PGGAN, PGGANSettings
from gan_core.gans.pggan_networks import Growth


def prepared(**settings: Any) -> PGGAN:
    torch.manual_seed(0)
    gan = PGGAN(PGGANSettings(**{"image_size": 32, "width": 8, "latent_dim": 8, **settings}))
    gan.prepare_training(torch.device("cpu"), torch.float32)
    return gan


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def real(count: int = 4) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=seeded(5)) * 2 - 1


def test_the_defaults_are_the_siblings() -> None:
    settings = PGGANSettings()
    assert (settings.learning_rate, settings.betas) == (1e-3, (0.0, 0.99))
    assert (settings.penalty_weight, settings.drift) == (10.0, 0.001)
    assert (settings.latent_dim, settings.width, settings.truncation) == (128, 256, 0.7)
    assert settings.batches == (32, 32, 32, 16, 16, 16, 16)


def test_one_step_equals_the_two_steps_written_out() -> None:
    ours, theirs = prepared(), prepared()
    for gan in (ours, theirs):
        gan.optimizers = {
            name: torch.optim.SGD(network.parameters(), 0.05)
            for name, network in gan.networks().items()
        }
    losses = ours.step(real(), seeded(3), 0.999)

    random, growth = seeded(3), Growth(3, 1.0)
    fake = theirs.generator.draw(theirs.random_latents(4, random)["noise"], growth)
    scores = theirs.critic.judge(real(), growth)
    loss = theirs.critic.judge(fake.detach(), growth).mean() - scores.mean()
    loss = loss + 0.001 * (scores**2).mean()
    penalty = 10 * gradient_penalty(
        lambda images: theirs.critic.judge(images, growth), real(), fake, random
    )
    (loss + penalty).backward()  # type: ignore[no-untyped-call]
    theirs.optimizers["critic"].step()
    generator_loss = -theirs.critic.judge(fake, growth).mean()
    generator_loss.backward()  # type: ignore[no-untyped-call]
    theirs.optimizers["generator"].step()
    wanted = {"critic": loss, "penalty": penalty, "generator": generator_loss}
    for name, value in wanted.items():
        assert losses[name].item() == pytest.approx(value.item(), rel=1e-4), name
    for name, network in theirs.networks().items():
        for key, weight in network.named_parameters():
            found = ours.networks()[name].get_parameter(key)
            torch.testing.assert_close(found, weight, rtol=1e-4, atol=1e-6, msg=key)


@pytest.mark.parametrize(("fraction", "side"), [(0.0, 4), (0.3, 8), (0.7, 16), (0.99, 32)])
def test_the_critic_sees_images_of_the_stages_size(fraction: float, side: int) -> None:
    gan = prepared()
    seen: list[torch.Size] = []
    judge = gan.critic.judge

    def watched(images: Tensor, growth: Growth) -> Tensor:
        seen.append(images.shape)
        return judge(images, growth)

    gan.critic.judge = watched  # type: ignore[method-assign]
    gan.step(real(), seeded(), fraction)
    assert set(seen) == {torch.Size([4, 3, side, side])}
    assert gan.generator.fraction == fraction


def test_while_a_stage_fades_in_reals_are_as_coarse_as_fakes() -> None:
    gan = prepared()
    seen: list[Tensor] = []
    judge = gan.critic.judge
    gan.critic.judge = lambda images, growth: seen.append(images) or judge(images, growth)  # type: ignore[method-assign,func-returns-value]
    gan.step(real(), seeded(), 0.75 + 1e-9)  # 32 pixels, hardly begun
    assert (seen[0][:, :, ::2, ::2] - seen[0][:, :, 1::2, 1::2]).abs().max() < 0.01
    gan.step(real(), seeded(), 0.9)
    last = seen[-4]
    torch.testing.assert_close(last, real())


def test_a_large_batch_is_learnt_in_parts_of_the_stages_batch() -> None:
    gan = prepared(batches=(5, 2))
    taken: list[int] = []
    learn = gan._learn

    def watched(part: Tensor, *rest: Any) -> dict[str, Tensor]:
        taken.append(len(part))
        return learn(part, *rest)

    gan._learn = watched  # type: ignore[method-assign]
    gan.step(real(5), seeded(), 0.0)
    gan.step(real(5), seeded(), 0.3)
    gan.step(real(5), seeded(), 0.99)  # the last batch holds for the stages beyond
    assert taken == [5, 2, 2, 1, 2, 2, 1]


def test_truncated_values_follow_the_cut_off_normal_distribution() -> None:
    normal = torch.randn(20_000, generator=seeded())
    cut = truncated(normal, 0.7)
    assert cut.dtype is torch.float32
    assert cut.abs().max().item() <= 0.7
    assert torch.equal(cut.argsort(), normal.argsort())
    # Variance of a normal value cut off at ± a: 1 - 2 a phi(a) / (2 Phi(a) - 1).
    assert cut.var().item() == pytest.approx(1 - 2 * 0.7 * 0.312254 / 0.516073, rel=0.02)
    torch.testing.assert_close(truncated(normal, 8.0), normal, rtol=0, atol=1e-5)


def test_samples_are_truncated_and_training_is_not() -> None:
    gan = prepared(latent_dim=64)
    assert gan.latents_for(range(20))["noise"].abs().max().item() <= 0.7
    assert gan.random_latents(20, seeded())["noise"].abs().max().item() > 2
    free = prepared(latent_dim=64, truncation=0.0)
    assert free.latents_for(range(20))["noise"].abs().max().item() > 2
