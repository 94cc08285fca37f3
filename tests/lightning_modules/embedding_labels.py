"""A label store of one image, and a network whose embeddings are colours, for tests."""

import torch
from torch import nn

from relief.formats.label_store import write_manifest, write_panoptic, write_semantic
from relief.schema.manifest import Manifest

SEMANTIC = torch.zeros(8, 16, dtype=torch.int64)
SEMANTIC[:6, :10], SEMANTIC[:6, 10:] = 1, 2  # two thing categories, and stuff below


def write_store(folder):
    store = folder / "labels"
    manifest = Manifest(
        k=3, thing_ids=(1, 2), groups=(-1, 0, 1), images={"x": "labelled"},
        supervision=("of the semantics",), notes=("a note",),
    )  # fmt: skip
    write_manifest(store, manifest)
    write_semantic(store, "x", SEMANTIC, 3)
    instance = torch.where(SEMANTIC == 1, 1, 0)
    panoptic = torch.stack((torch.where(SEMANTIC == 1, 1, 0), instance), -1)
    write_panoptic(store, "x", panoptic, torch.tensor([False, True, True]))
    (store / "panoptic.json").write_text("{}")
    return store


class ColourEmbeddings(nn.Module):
    """Colours of every second pixel, three times as far apart."""

    def __init__(self, num_things=0, num_regions=0):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.0))

    def embed(self, image):
        return self.weight * image[..., ::2, ::2]


def write_checkpoint(folder, network="tests.lightning_modules.embedding_labels.ColourEmbeddings"):
    path = folder / "last.ckpt"
    content = {
        "state_dict": {"network.weight": torch.tensor(3.0)}, "evaluation": {},
        "classes": {"things": (1,), "stuff": (0,)}, "label_classes": None,
        "supervision": ["of the embeddings"], "network": {"class_path": network, "init_args": {}},
    }  # fmt: skip
    torch.save(content, path)
    return path
