import re
from pathlib import Path

from relief.models.segmenters.cascade import detectron2_parts

RELIEF = Path(detectron2_parts.__file__).parents[2]
HOUSE = RELIEF.parent


def test_nothing_else_imports_detectron2():
    importing = re.compile(r"^\s*(from|import) detectron2\b", re.MULTILINE)
    rooms = [RELIEF, *(HOUSE / name for name in ("datamodules", "lightning_modules", "callbacks"))]
    files = [path for room in rooms for path in room.rglob("*.py")]
    found = [path for path in files if importing.search(path.read_text(encoding="utf-8"))]
    assert found == [Path(detectron2_parts.__file__)]


def test_all_names_are_there():
    assert all(hasattr(detectron2_parts, name) for name in detectron2_parts.__all__)
