import pytest

from relief.schema.errors import UsageError
from relief.sources.cityscapes import CityscapesSource
from tests.contracts.source import SourceContract


class TestCityscapesSource(SourceContract):
    @pytest.fixture
    def source(self, tiny_cityscapes):
        return CityscapesSource(str(tiny_cityscapes), "val", "cityscapes27")


def test_files_are_looked_up_when_asked_for(tmp_path):
    source = CityscapesSource(str(tmp_path))
    with pytest.raises(UsageError, match=r"no images found: data\.root="):
        _ = source.keys
