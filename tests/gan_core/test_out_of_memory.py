import pytest
import torch

from gan_core.out_of_memory import ShrinkingBatch, is_out_of_memory


def test_running_out_of_memory_is_told_from_other_failures() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shapes differ"))


def test_a_batch_is_halved_until_it_fits_and_stays_so() -> None:
    batch = ShrinkingBatch(16)
    tried: list[int] = []

    def work(size: int) -> int:
        tried.append(size)
        if size > 5:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return size

    assert [batch.run(work), batch.run(work)] == [4, 4]
    assert tried == [16, 8, 4, 4]


def test_no_memory_for_one_image_is_an_error_and_other_errors_are_not_tried_again() -> None:
    def hungry(_: int) -> None:
        raise MemoryError

    def wrong(_: int) -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(MemoryError):
        ShrinkingBatch(4).run(hungry)
    batch = ShrinkingBatch(4)
    with pytest.raises(RuntimeError, match="shapes"):
        batch.run(wrong)
    assert batch.size == 4
