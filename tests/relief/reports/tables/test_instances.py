from relief.reports.tables.instances import INSTANCE_COLUMNS, instance_rows


def test_counts_are_no_row():
    figures = dict.fromkeys(INSTANCE_COLUMNS, 1.25)
    assert instance_rows({"boxes": figures, "counts": {}}) == [("boxes", ["1.2"] * 9)]
