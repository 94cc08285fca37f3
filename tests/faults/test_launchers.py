"""The launchers of docs/scaling.md, as they stand there."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import draw_frame
from tests.label_processes import arguments
from tests.label_runs import run_label

ROOT = Path(__file__).parents[2]
ON_ONE_CPU = {
    "num_gpus=1": "num_cpus=1", "ray.init()": "ray.init(num_cpus=2, include_dashboard=False)",
    "gpus_per_node=1, cpus_per_task=12": "cpus_per_task=1", "range(8)": "range(2)",
}  # fmt: skip


def launcher(library: str, command: list[str], jobs: Path) -> str:
    """The program of the documentation that imports a library, its command another."""
    text = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    (program,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        if f"import {library}" in block
    )
    for as_it_stands, here in ON_ONE_CPU.items():
        program = program.replace(as_it_stands, here)
    program = program.replace('"jobs"', json.dumps(str(jobs)))
    return re.sub(r"COMMAND = .*", f"COMMAND = {json.dumps(command)}", program)


@pytest.mark.faults
@pytest.mark.parametrize("library", ["ray", "submitit"])
def test_a_launcher_of_the_documentation_leaves_the_shards_of_one_worker(library, tmp_path):
    pytest.importorskip(library)
    root, folders = tmp_path / "cityscapes", [tmp_path / "one", tmp_path / "launched"]
    for number in range(3):
        draw_frame(root, "train", "aachen", number)
        draw_frame(root, "val", "bonn", 10 + number)
    for out in folders:
        assert run_label(root, out, "--shards", "none", "--shard_size", "1") == 0
    assert run_label(root, folders[0], "--shards", "auto") == 0
    options = arguments(root, folders[1], "--shards", "auto")
    program = tmp_path / "launch.py"
    program.write_text(
        launcher(library, [sys.executable, str(ROOT / "label.py"), *options], tmp_path / "jobs")
    )
    subprocess.run([sys.executable, str(program)], cwd=ROOT, check=True, timeout=300)
    one, launched = (
        {path.name: path.read_bytes() for path in (out / "shards").iterdir()} for out in folders
    )
    assert len(one) == 9
    assert launched == one
    assert run_label(root, folders[1], "--finish", "true") == 0
