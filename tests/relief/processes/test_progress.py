import pytest

from relief.processes.progress import with_progress


@pytest.mark.parametrize("count", [0, 3, 60])
def test_a_bar_changes_no_item_and_leaves_standard_output_alone(
    count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    items = list(range(count))
    assert list(with_progress(iter(items), "counting", count)) == items
    assert capsys.readouterr().out == ""
