"""Images on a device."""

import numpy as np
import pytest
import torch

from gan_core.classifiers import device_images
from gan_core.classifiers.device_images import DeviceImages

CPU = torch.device("cpu")


def numbered(count: int) -> np.ndarray:
    images = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(count)
    return images


@pytest.mark.parametrize("is_resident", [True, False])
def test_rows_of_any_shape_give_their_images(
    is_resident: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_images, "_ROWS_AT_A_TIME", 3)
    images = numbered(7)
    on_device = DeviceImages(images, CPU, is_resident=is_resident)
    assert (on_device.resident is not None) == is_resident
    rows = np.array([[6, 0, 2], [2, 2, 5]])
    assert np.array_equal(on_device[rows].numpy(), images[rows])
    assert len(on_device) == 7


def test_images_that_do_not_fit_onto_the_device_stay_where_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(device_images.torch, "empty", full)
    on_device = DeviceImages(numbered(2), CPU, is_resident=True)
    assert on_device.resident is None
    assert on_device[np.array([1])][0, 0, 0, 0] == 1


def test_images_that_left_the_device_are_read_from_the_host() -> None:
    on_device = DeviceImages(numbered(2), CPU, is_resident=True)
    on_device.leave_device()
    assert on_device.resident is None
    assert on_device[np.array([1])][0, 0, 0, 0] == 1
