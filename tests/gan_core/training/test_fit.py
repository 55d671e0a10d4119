import numpy as np
import pytest
from PIL import Image

from gan_core.progress import Progress, Stopped
from gan_core.training.fit import fit_to_size


@pytest.mark.parametrize("shape", [(64, 64), (60, 90), (90, 60), (20, 31)])
def test_the_shorter_side_is_resized_and_the_centre_kept_as_pillow_does(
    shape: tuple[int, int],
) -> None:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    image = np.stack([rows * 2, columns * 2, (rows + columns) % 256], -1).astype(np.uint8)
    fitted = fit_to_size(image[None], 32)
    assert fitted.shape == (1, 32, 32, 3)
    assert fitted.dtype == np.uint8
    scale = 32 / min(shape)
    resized = (max(32, round(shape[1] * scale)), max(32, round(shape[0] * scale)))
    left, top = (resized[0] - 32) // 2, (resized[1] - 32) // 2
    pillow = Image.fromarray(image).resize(resized, Image.Resampling.BILINEAR)
    expected = np.asarray(pillow.crop((left, top, left + 32, top + 32))).astype(int)
    assert np.abs(fitted[0].astype(int) - expected).max() <= 1


def test_images_that_fit_already_are_not_touched() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    fitted = fit_to_size(images, 32)
    assert np.array_equal(fitted, images)
    assert not np.shares_memory(fitted, images)


def test_fine_stripes_become_grey_and_not_other_stripes() -> None:
    stripes = np.zeros((1, 128, 128, 3), np.uint8)
    stripes[:, :, ::2] = 255
    fitted = fit_to_size(stripes, 32)[:, :, 2:-2]
    assert np.abs(fitted.astype(int) - 127.5).max() < 10


def test_many_images_come_back_in_order() -> None:
    images = np.zeros((130, 8, 8, 3), np.uint8)
    images[:] = np.arange(130, dtype=np.uint8)[:, None, None, None]
    assert fit_to_size(images, 4)[:, 0, 0, 0].tolist() == list(range(130))


def test_fitting_tells_how_far_it_is_and_can_be_stopped() -> None:
    images = np.zeros((70, 8, 8, 3), np.uint8)
    told: list[Progress] = []
    fit_to_size(images, 4, on_progress=told.append)
    assert [report.fraction for report in told] == [64 / 70, 1.0]
    with pytest.raises(Stopped):
        fit_to_size(images, 4, should_stop=lambda: True)
