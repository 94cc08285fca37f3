import subprocess
import sys
from pathlib import Path

import pytest
import torch

from relief.processes.lean_imports import late_compiler, lean_torchmetrics

ROOT = Path(__file__).parents[3]
HEAVY = {
    "detectron2", "kornia", "scipy.optimize", "scipy.signal", "sklearn", "sympy", "timm",
    "torch._dynamo", "torchvision", "transformers",
}  # fmt: skip


def loaded_after(code: str, watched: set[str]) -> set[str]:
    code = f"import sys\n{code}\nprint(*({watched!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_the_labelling_script_loads_no_library_that_no_part_of_it_needs():
    assert loaded_after("import label, cli", HEAVY) == set()


def test_help_loads_no_library():
    code = "sys.argv = ['label.py', '--help']\ntry: import label\nexcept SystemExit: pass"
    code = (
        f"import io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()):\n exec({code!r})"
    )
    assert loaded_after(code, {"torch", "numpy", "pytorch_lightning", "jsonargparse"}) == set()


@pytest.fixture
def without_compiler(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[:2] == ["torch", "_dynamo"]]:
        monkeypatch.delitem(sys.modules, name)


def test_what_stands_in_for_the_compiler_does_what_it_does(without_compiler, monkeypatch):
    with late_compiler():
        from torch._dynamo import OptimizedModule
        from torch._dynamo.utils import is_compile_supported

        doubled = torch.compiler.disable(lambda number: 2 * number)
    assert "torch._dynamo" not in sys.modules
    assert not isinstance(torch.nn.Identity(), OptimizedModule)
    real = type(sys)("torch._dynamo")
    real.OptimizedModule = torch.nn.Identity
    monkeypatch.setitem(sys.modules, "torch._dynamo", real)
    assert isinstance(torch.nn.Identity(), OptimizedModule)
    real.utils = type(sys)("torch._dynamo.utils")
    real.utils.is_compile_supported = lambda device: device == "cpu"
    monkeypatch.setitem(sys.modules, "torch._dynamo.utils", real.utils)
    assert is_compile_supported("cpu")
    assert not is_compile_supported("tpu")
    real.disable = lambda function, *_, **__: function
    assert doubled(4) == 8


def test_a_compiler_that_is_there_stays(monkeypatch):
    real = type(sys)("torch._dynamo")
    monkeypatch.setitem(sys.modules, "torch._dynamo", real)
    with late_compiler():
        assert sys.modules["torch._dynamo"] is real


def test_torchmetrics_finds_missing_only_what_nothing_needs(without_compiler, monkeypatch):
    from lightning_utilities.core.imports import RequirementCache

    monkeypatch.delitem(sys.modules, "torchmetrics", raising=False)
    with lean_torchmetrics():
        assert not RequirementCache("transformers>=4.4.0")
        assert not RequirementCache("scipy")
        assert RequirementCache("numpy")
    assert RequirementCache("scipy")


def test_a_failing_import_leaves_nothing_behind(without_compiler):
    with pytest.raises(ImportError), late_compiler():
        raise ImportError
    assert "torch._dynamo" not in sys.modules
