"""A file imports from lower floors and its own room, never up or sideways."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Lower floors first; rooms of one floor do not know each other.
FLOORS: list[set[str]] = [
    {"relief.schema"},
    {"relief.ops"},
    {"relief.processes"},
    {"relief.formats"},
    {"relief.models", "relief.splitters", "relief.metrics"},
    {"relief.sources"},
    {"relief.samples", "relief.studies", "relief.reports"},
    {"datamodules", "lightning_modules", "callbacks"},
    {"cli"},
    {"label", "train", "evaluate"},
    {"relief.notebooks"},  # they find the rooms beside relief by class paths
    {"relief.predictions"},
    {"relief.__main__"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "core", "tools"}
SCRIPTS = ("label.py", "train.py", "evaluate.py")


def source_files() -> list[Path]:
    rooms = ("relief", "datamodules", "lightning_modules", "callbacks")
    files = [file for room in rooms for file in (ROOT / room).rglob("*.py")]
    return sorted(
        [*files, *(ROOT / name for name in (*SCRIPTS, "cli.py") if (ROOT / name).exists())]
    )


def room_of(module: str) -> str | None:
    parts = module.split(".")
    name = ".".join(parts[:2]) if parts[0] == "relief" else parts[0]
    return name if name in FLOOR_OF else None


def imported_modules(file: Path) -> list[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    modules: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            modules.append(node.module or "")
    return modules


def violations(room: str, modules: list[str]) -> list[str]:
    """The imports that break the floors."""
    bad = []
    for module in modules:
        target = room_of(module)
        if target is None or target == room:
            continue
        if FLOOR_OF[target] >= FLOOR_OF[room]:
            bad.append(module)
    return bad


@pytest.mark.parametrize("file", source_files(), ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_go_down(file: Path) -> None:
    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    room = room_of(module)
    if room is None:  # relief/__init__.py
        assert imported_modules(file) == []
        return
    assert violations(room, imported_modules(file)) == []


@pytest.mark.parametrize("file", sorted((ROOT / "relief").rglob("*.py")), ids=str)
def test_relief_never_imports_lightning(file: Path) -> None:
    heads = {module.split(".")[0] for module in imported_modules(file)}
    assert heads.isdisjoint({"pytorch_lightning", "lightning"})


def test_floors_would_catch_a_climber() -> None:
    assert violations("relief.ops", ["relief.models.precision", "relief.schema.batch"]) == [
        "relief.models.precision"
    ]
    assert violations("callbacks", ["datamodules.cityscapes"]) == ["datamodules.cityscapes"]


def test_names_say_something() -> None:
    for file in source_files():
        assert not FORBIDDEN_NAMES & set(file.relative_to(ROOT).with_suffix("").parts), file


def test_scripts_are_short() -> None:
    for name in SCRIPTS:
        if (ROOT / name).exists():
            assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= 120, name


def test_detectron2_is_imported_in_one_module() -> None:
    importers = [
        file
        for file in source_files()
        if any(module.split(".")[0] == "detectron2" for module in imported_modules(file))
    ]
    assert len(importers) <= 1, importers


def test_nothing_loads_pickles_that_may_hold_code() -> None:
    for file in source_files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            called = ast.unparse(node.func)
            if called == "torch.load":
                given = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert given.get("weights_only") == "True", f"{file}:{node.lineno}"
            assert called not in {"pickle.load", "pickle.loads"}, f"{file}:{node.lineno}"


WRITERS = {
    "relief/formats/files/atomic.py": "the one home of writing",
    "relief/formats/files/lock.py": "a lock is created, or is not",
    "relief/models/weights/download.py": "a download goes on where it was cut",
    "callbacks/checkpoints.py": "the checkpoint before is renamed",
}


def writes(call: ast.Call) -> bool:
    """Whether a call writes or renames a file by itself."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    if name == "open":
        modes = [*call.args, *(keyword.value for keyword in call.keywords)]
        return any(
            isinstance(mode, ast.Constant)
            and set(str(mode.value)) <= set("rwxabt+")
            and set(str(mode.value)) & set("wxa+")
            for mode in modes
        )
    if not isinstance(call.func, ast.Attribute):
        return name in {"save_file", "imwrite"}
    if name in {"replace", "rename"}:  # of a path: one argument
        return len(call.args) == 1 and not call.keywords
    return name in {"write_text", "write_bytes", "imwrite", "save_file", "to_csv", "tofile"}


def test_files_are_written_whole_by_one_writer() -> None:
    found = {
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in source_files()
        if str(file.relative_to(ROOT)) not in WRITERS
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and writes(node)
    }
    assert sorted(found) == []


def test_every_source_file_has_a_test_in_its_mirror_folder() -> None:
    missing = []
    for file in (ROOT / "relief").rglob("*.py"):
        if file.name == "__init__.py" or "schema" in file.parts:
            continue
        folder = ROOT / "tests" / file.relative_to(ROOT).parent
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        if (folder / f"test_{file.name}").exists():
            continue
        if not any(module in imported_modules(test) for test in folder.glob("test_*.py")):
            missing.append(module)
    assert sorted(missing) == []


@pytest.mark.parametrize("file", source_files(), ids=lambda f: str(f.relative_to(ROOT)))
def test_docstrings_begin_with_a_verb_or_a_noun(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
    assert [text for text in texts if text and text.startswith(("What ", "Of "))] == []
