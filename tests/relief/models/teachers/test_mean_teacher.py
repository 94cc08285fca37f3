import copy

import pytest
import torch
from torch import nn

from relief.models.teachers.mean_teacher import update_average


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


def draw(module, step):
    """Other weights, statistics and counters, as a training step would leave them."""
    generator = torch.Generator().manual_seed(step)
    for value in module.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator))
        else:
            value.fill_(100 + step)


@pytest.mark.parametrize("decay", [0.9, 0.999])
def test_several_steps_are_the_weighted_sum_of_all_students(decay):
    teacher, student = network(0), network(1)
    start = {name: value.double().clone() for name, value in teacher.state_dict().items()}
    students, steps = [], 5
    for step in range(steps):
        draw(student, step)
        students.append({name: value.double() for name, value in student.state_dict().items()})
        update_average(teacher, student, decay)
    for name, value in teacher.state_dict().items():
        if name.endswith("num_batches_tracked"):
            assert value == 100 + steps - 1
            continue
        expected = decay**steps * start[name]
        for step, seen in enumerate(students):
            expected = expected + (1 - decay) * decay ** (steps - 1 - step) * seen[name]
        torch.testing.assert_close(value.double(), expected, atol=1e-6, rtol=1e-5)


def test_statistics_of_batch_norms_move():
    teacher, student = network(0), network(0)
    student[1].running_mean.fill_(4.0)
    student[1].running_var.fill_(3.0)
    update_average(teacher, student, 0.75)
    assert torch.equal(teacher[1].running_mean, torch.full((4,), 1.0))
    assert torch.equal(teacher[1].running_var, torch.full((4,), 1.5))


def test_the_student_stays_and_no_gradient_flows():
    teacher, student = network(0), network(1)
    before = copy.deepcopy(student.state_dict())
    update_average(teacher, student, 0.5)
    for name, value in student.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(value.grad_fn is None for value in teacher.parameters())


def test_equal_networks_stay_equal_to_the_last_bit():
    teacher, student = network(0), network(0)
    for _ in range(10):
        update_average(teacher, student, 0.999)
    for name, value in student.state_dict().items():
        assert torch.equal(teacher.state_dict()[name], value)


def test_the_ends_of_the_range():
    teacher, student = network(0), network(1)
    start = copy.deepcopy(teacher.state_dict())
    update_average(teacher, student, 1.0)
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, start[name])
    update_average(teacher, student, 0.0)
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, student.state_dict()[name])


def test_another_network_is_refused():
    with pytest.raises(ValueError, match="differ"):
        update_average(nn.Linear(2, 3), nn.Linear(3, 3), 0.9)
    with pytest.raises(ValueError, match="differ"):
        update_average(nn.Linear(2, 3), nn.Linear(2, 3, bias=False), 0.9)
