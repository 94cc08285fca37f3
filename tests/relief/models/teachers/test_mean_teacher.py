import copy

import pytest
import torch
from torch import nn

from relief.models.teachers.mean_teacher import MeanTeacher, update_average


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


def test_a_teacher_begins_as_a_copy_that_is_not_trained():
    student = network(0).train()
    teacher = MeanTeacher().begin(student)
    assert not teacher.training
    assert student.training
    assert not any(value.requires_grad for value in teacher.parameters())
    assert all(value.requires_grad for value in student.parameters())
    draw(student, 1)
    assert torch.equal(teacher[0].weight, network(0)[0].weight)
    MeanTeacher().renew(teacher, student)
    for name, value in student.state_dict().items():
        assert torch.equal(teacher.state_dict()[name], value)


def test_a_teacher_may_follow_every_few_steps_only():
    student, rule = network(0), MeanTeacher(decay=0.5, every_n_steps=3)
    teacher, seen = rule.begin(student), []
    with torch.no_grad():
        student[0].bias.fill_(8.0)
        teacher[0].bias.zero_()
    for step in range(1, 8):
        rule.follow(teacher, student, step)
        seen.append(float(teacher[0].bias[0].detach()))
    assert seen == [0, 0, 4, 4, 4, 6, 6]


@pytest.mark.parametrize(("buffers", "mean", "counter"), [("averaged", 1, 9), ("copied", 4, 9), ("kept", 0, 0)])  # fmt: skip  # noqa: E501
def test_buffers_are_averaged_copied_or_kept(buffers, mean, counter):
    student, rule = network(0), MeanTeacher(0.75, buffers=buffers)
    teacher = rule.begin(student)
    student[1].running_mean.fill_(4.0)
    student[1].num_batches_tracked.fill_(9)
    with torch.no_grad():
        student[1].bias.fill_(4.0)
    rule.follow(teacher, student, 1)
    assert torch.equal(teacher[1].running_mean, torch.full((4,), float(mean)))
    assert int(teacher[1].num_batches_tracked) == counter
    assert torch.equal(teacher[1].bias, torch.full((4,), 1.0))


def test_while_it_warms_up_a_teacher_is_the_mean_of_all_students():
    student, rule = network(0), MeanTeacher(0.9, warm_up=True)
    teacher = rule.begin(student)
    total = teacher[0].bias.double()
    for step in range(1, 7):
        draw(student, step)
        total = total + student[0].bias.double()
        rule.follow(teacher, student, step)
    torch.testing.assert_close(teacher[0].bias.double(), total / 7, atol=1e-6, rtol=1e-6)
    assert [rule.decay_at(number) for number in (1, 9, 10, 99)] == [0.5, 0.9, 0.9, 0.9]
