import re
from types import SimpleNamespace

from relief.reports.sweep_report import setting_name, write_sweep_report


def row(tau, area, pq):
    return {
        "splitter": "connected" if tau is None else "depth_gradient",
        "gradient_threshold": tau, "min_area_px": area, "pq": pq, "pq_stuff": 30.0,
        "pq_things": pq / 2, "sq": 70.0, "rq": 40.0, "miou": 50.0, "matched_things": 7,
        "instances_per_image": 4.5, "true_instances_per_image": 20.25, "depth": "drawn",
    }  # fmt: skip


def sweep(*sections, failures=(), ranked=()):
    return SimpleNamespace(
        headline=("seed", "majority"),
        images=48,
        sections=sections,
        failures=failures,
        ranked=ranked,
    )


def section(k):
    rows = [row(0.2, 1000, 26.0), row(0.2, 500, 25.0), row(None, 10, 22.0)]
    connected = [row(None, 10, 22.0), row(None, 1000, 23.0)]
    return SimpleNamespace(
        name=f"k={k}", k=k, rows=rows, connected=connected, best=rows[0], baseline=connected[0],
        gains=(4.0, 1.0, 3.0),
    )  # fmt: skip


def test_the_page_is_one_file_with_its_figures(tmp_path):
    selection = [
        {
            "criterion": "coverage",
            "source": "k=50",
            "correlation": 0.8,
            "chosen": row(0.2, 500, 25.0),
            "best": 26.0,
        }
    ]
    result = sweep(section(50), section(80), failures=["left out x"], ranked=selection)
    write_sweep_report(tmp_path / "report.html", "A <sweep>", result)
    text = (tmp_path / "report.html").read_text()
    assert "A &lt;sweep&gt;" in text and "left out x" in text
    assert "all +4.00 = filter +1.00, edges +3.00" in text
    assert text.count("<svg") == 1 + 2 * 2
    assert text.count('class="heat"') == 2 * 2
    assert "20.2" in text and "26.00" in text and "+0.80" in text
    assert not re.search(r'(src|href)="(?!#)', text)


def test_one_source_has_no_curve_over_k(tmp_path):
    write_sweep_report(tmp_path / "r.html", "t", sweep(section(80)))
    text = (tmp_path / "r.html").read_text()
    assert text.count("<svg") == 2
    assert "Choosing without labels" not in text


def test_settings_have_short_names():
    assert setting_name(row(0.2, 500, 1.0)) == "τ 0.2, ≥ 500 px"
    assert setting_name(row(None, 10, 1.0)) == "components, ≥ 10 px"


def test_sharpened_depth_is_a_setting_of_its_own(tmp_path):
    sharp = row(0.2, 500, 31.0) | {"arguments": '{"sharpening": {"times": 3}}'}
    assert setting_name(sharp) == "τ 0.2, sharpened, ≥ 500 px"
    assert setting_name(row(0.2, 500, 25.0)) == "τ 0.2, ≥ 500 px"
    one = section(80)
    one.rows.insert(0, sharp)
    write_sweep_report(tmp_path / "a.html", "a", sweep(one))
    text = (tmp_path / "a.html").read_text()
    assert "0.2, sharpened" in text and "31.0" in text and "25.0" in text
