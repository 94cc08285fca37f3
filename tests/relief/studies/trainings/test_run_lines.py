import pytest

from relief.schema.errors import UsageError
from relief.studies.trainings.run_lines import refuse_unmade, script_runs

LINES = {
    "source": "train.py fit --config 'a b.yaml' --seed $seed",
    "labels": "label.py --model '[{checkpoint: $source/last.ckpt}]'",
}


def test_lines_are_completed_by_seed_and_folders_above(tmp_path):
    source, labels = script_runs(LINES, 3, tmp_path)
    out = str(tmp_path / "source")
    assert source.script == "train.py"
    assert source.arguments == ["fit", "--config", "a b.yaml", "--seed", "3", "--out", out]
    assert labels.out == tmp_path / "labels"
    model = f"[{{checkpoint: {out}/last.ckpt}}]"
    made = ["--out", str(labels.out), "--if_missing", "true"]
    assert labels.arguments == ["--model", model, *made]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ({"labels": LINES["labels"], "source": LINES["source"]}, "run labels: .*'source'"),
        ({"all": "rm -r x"}, "run all begins with rm"),
        ({"all": "train.py 'fit"}, "run all cannot be read .No closing"),
        ({"all": ""}, "run all begins with nothing"),
    ],
)
def test_lines_that_cannot_run_are_told(tmp_path, lines, told):
    with pytest.raises(UsageError, match=told):
        script_runs(lines, 0, tmp_path)


def test_only_runs_of_the_labeller_make_labels():
    refuse_unmade(["labels"], LINES)
    for name in ("source", "nothing"):
        with pytest.raises(UsageError, match=f"makes {name}"):
            refuse_unmade([name], LINES)
