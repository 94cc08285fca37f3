import io
import logging

import pytest
from rich.console import Console

from relief.reports.run_log import PlainHandler, Stopwatch, open_log, start_log, step, time_steps


@pytest.fixture(autouse=True)
def own_log(monkeypatch):
    log = logging.getLogger("relief")
    monkeypatch.setattr(log, "handlers", [])
    monkeypatch.setattr(log, "propagate", False)
    before = log.level
    log.setLevel(logging.INFO)  # forgets what it answered at another level
    yield log
    log.setLevel(before)


def test_lines_are_printed_as_they_are_however_long(own_log):
    text = io.StringIO()
    own_log.addHandler(PlainHandler(Console(file=text, width=20)))
    own_log.info("a [bold] line of more than twenty characters")
    assert text.getvalue() == "a [bold] line of more than twenty characters\n"


def test_the_terminal_is_opened_once(own_log):
    open_log(speaks=True)
    open_log(speaks=True)
    assert sum(isinstance(handler, PlainHandler) for handler in own_log.handlers) == 1


def test_other_processes_say_errors_only(own_log):
    open_log(speaks=False)
    assert own_log.level == logging.ERROR


def test_the_log_of_a_run_is_in_its_folder(own_log, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        start_log(tmp_path / name)
        own_log.info("in %s", name)
    assert "in a" in (tmp_path / "a" / "log.txt").read_text()
    assert "in b" not in (tmp_path / "a" / "log.txt").read_text()


def test_steps_are_timed_and_told(own_log):
    stopwatch = time_steps()
    with step("sweep"):
        pass
    own_log.info("no step")
    assert [name for name, _ in stopwatch.steps] == ["sweep"]
    assert 0 <= stopwatch.steps[0][1] < 5
    assert time_steps() is not stopwatch
    assert sum(isinstance(handler, Stopwatch) for handler in own_log.handlers) == 1


def test_a_run_does_not_write_into_the_log_of_an_earlier_one(own_log, tmp_path):
    start_log(tmp_path)
    own_log.info("the first run")
    open_log(speaks=True)
    own_log.info("the second run")
    assert (tmp_path / "log.txt").read_text().endswith("the first run\n")
