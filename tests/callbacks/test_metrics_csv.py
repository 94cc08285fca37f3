from callbacks.metrics_csv import MetricsCsv


def test_rows_grow_columns_when_they_need_to(tmp_path):
    log = MetricsCsv(tmp_path / "metrics.csv")
    log.log_metrics({"train/loss": 2.5, "epoch": 0}, step=10)
    log.log_metrics({"val/pq": 12.25}, step=10)
    log.log_metrics({"train/loss": 1.0 / 3}, step=20)
    assert (tmp_path / "metrics.csv").read_text() == (
        "step,epoch,train/loss,val/pq\n10,0,2.5,12.25\n20,0,0.333333,\n"
    )


def test_a_resumed_training_keeps_its_rows_and_replaces_those_done_again(tmp_path):
    path = tmp_path / "metrics.csv"
    for step in (10, 20, 30):
        MetricsCsv(path).log_metrics({"train/loss": float(step)}, step=step)
    resumed = MetricsCsv(path)
    resumed.log_metrics({"train/loss": 0.5}, step=20)
    assert path.read_text() == "step,epoch,train/loss\n10,0,10\n20,0,0.5\n"
    resumed.log_metrics({"val/pq": 3.0}, step=30)
    assert path.read_text().splitlines()[1:] == ["10,0,10,", "20,0,0.5,", "30,0,,3"]
