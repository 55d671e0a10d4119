from torch import nn

from gan_core.gans.counter import StepCounter


def test_the_count_is_in_the_state_and_begins_anew_when_reset() -> None:
    counter = StepCounter()
    counter.steps = 17
    holder, other = nn.ModuleDict({"c": counter}), nn.ModuleDict({"c": StepCounter()})
    other.load_state_dict(holder.state_dict())
    restored = other["c"]
    assert isinstance(restored, StepCounter)
    assert restored.steps == 17
    restored.reset_parameters()
    assert restored.steps == 0


def test_what_is_due_every_few_steps_is_due_in_the_first() -> None:
    counter = StepCounter()
    due = []
    for counter.steps in range(9):
        due.append(counter.is_due(4))
    assert [step for step, is_due in enumerate(due) if is_due] == [0, 4, 8]
