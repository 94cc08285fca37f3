import json
import re

import pytest

from relief.reports.names_page import NamesRequest
from relief.schema.errors import ReadError, UsageError
from relief.schema.names import ClusterNames, NamedClusters
from relief.schema.plain_text import yaml_of
from tests.relief.formats.exports.drawn import draw_with_photographs
from tests.relief.reports.page_scripts import saved_by

CARDS = """
document.parts[".cluster"] = CARDS.map(([id, thing]) => {
  const card = new Element();
  card.dataset = {id, share: "0.1"};
  card.querySelector("input[type=checkbox]").checked = thing;
  return card;
});
"""


@pytest.fixture
def request_of(tmp_path):
    store = draw_with_photographs(tmp_path)
    return NamesRequest(str(store), str(tmp_path / "photographs"), str(tmp_path / "names"))


def test_the_page_holds_every_cluster_largest_first(request_of):
    page = request_of.write().read_text()
    assert re.findall(r'data-id="(\d)"', page) == ["0", "3", "1", "2"]
    assert page.count("data:image/jpeg;base64,") == 4
    assert '<option value="traffic light">' in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)  # nothing beside it is needed


def test_what_is_typed_is_saved_as_names(request_of, tmp_path):
    page = request_of.write().read_text()
    cards = f"const CARDS = {json.dumps([[i, i in (1, 2)] for i in range(4)])};{CARDS}"
    typed = """
    const type = (i, name) => { text(cards[i]).value = name; text(cards[i]).handlers.input(); };
    type(0, "road"); type(3, "road"); type(1, "car: \\"old\\""); type(2, "sky");
    """
    names = ClusterNames.from_content(yaml_of(saved_by(page, cards, typed)))
    assert names.entries == (
        NamedClusters("road", (0, 3), False),
        NamedClusters('car: "old"', (1,), True),
        NamedClusters("sky", (2,), False),  # a class of the table is no thing
    )


def test_names_of_before_are_there_again(request_of, tmp_path):
    file = tmp_path / "names.yaml"
    file.write_text("</script>: [1, 2]\n")
    page = NamesRequest(**{**vars(request_of), "names": str(file)}).write().read_text()
    assert page.count("</script>") == 1
    cards = f"const CARDS = {json.dumps([[i, True] for i in range(4)])};{CARDS}"
    assert yaml_of(saved_by(page, cards, "")) == {"</script>": {"clusters": [1, 2], "thing": True}}


def test_photographs_that_are_not_there_are_one_line(request_of, tmp_path):
    with pytest.raises(UsageError, match="no folder of photographs: nowhere"):
        NamesRequest(**{**vars(request_of), "photographs": "nowhere"}).write()
    (tmp_path / "photographs" / "two.png").unlink()
    with pytest.raises(ReadError, match=r"cannot read image: .*two\.png"):
        request_of.write()
