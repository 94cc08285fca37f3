import pytest
from jsonargparse import ArgumentError

from relief.reports.telling import ended, is_first_process, is_told_elsewhere, one_line
from relief.schema.errors import UsageError


def test_one_process_speaks_whatever_the_launcher(monkeypatch):
    assert is_first_process()
    monkeypatch.setenv("SLURM_PROCID", "3")
    assert not is_first_process()


def test_what_could_not_be_read_is_said_and_ends_with_1(capsys):
    assert ended([]) == 0
    assert ended(["a.png: cut off."]) == 1


@pytest.mark.parametrize("error", [UsageError("x."), ArgumentError(None, "x")])
def test_wrong_use_is_told_by_one_process_of_each_machine(error, monkeypatch):
    assert not is_told_elsewhere(error)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert is_told_elsewhere(error)
    assert not is_told_elsewhere(ValueError("x"))


def test_a_message_is_one_line():
    assert one_line(ValueError("a\n  b")) == "a b"
    assert one_line(ValueError()) == "ValueError"
