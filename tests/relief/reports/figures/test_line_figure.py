from relief.reports.figures.line_figure import line_figure


def test_every_line_is_named_and_equal_points_give_equal_text():
    lines = {"things": [(80.0, 3.0), (50.0, 1.0)], "stuff": [(50.0, 2.0)]}
    drawn = line_figure(lines, "k", "PQ", ("ground truth", 2.5))
    assert drawn.startswith("<svg") and drawn.rstrip().endswith("</svg>")
    for text in ("things", "stuff", "ground truth", ">k<", ">PQ<"):
        assert text in drawn
    assert drawn == line_figure(lines, "k", "PQ", ("ground truth", 2.5))
    assert line_figure({"things": []}, "k", "PQ").startswith("<svg")
