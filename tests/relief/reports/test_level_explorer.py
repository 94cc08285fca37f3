import base64
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from relief.ops.splitting.depth_sharpening import ToggleSharpening
from relief.reports.figures.example_panels import DepthEdges, ReportSources
from relief.reports.label_report import RunDescription, write_label_report
from relief.reports.level_explorer import LevelExplorer, explorer_levels, explorer_of
from relief.schema.categories import cluster_categories
from relief.schema.observation import Observation
from relief.splitters.depth_gradient import DepthGradientSplitter
from tests.browser import told_by_chromium

GROUPS = (-1, 0, 0, 1)
EDGES = DepthEdges(0.02, 1.0, 48, ToggleSharpening(), min_area_px=30, dilation_px=3)


class Streets:
    """Two images of random boxes of things at random depths, one row of stuff below."""

    num_categories, thing_ids, keys = 4, (1, 2, 3), ["a", "b"]

    def semantic(self, key: str) -> torch.Tensor:
        return self.maps(key)[0]

    def depth(self, key: str) -> torch.Tensor:
        return self.maps(key)[1]

    def panoptic(self, key: str) -> torch.Tensor:
        semantic = self.semantic(key)
        return torch.stack((semantic, torch.zeros_like(semantic)), dim=-1)

    def maps(self, key: str) -> tuple[torch.Tensor, torch.Tensor]:
        random = np.random.default_rng(ord(key))
        semantic = np.zeros((48, 96), np.int64)
        depth = np.linspace(0.2, 0.8, 96, dtype=np.float32)[None].repeat(48, 0)
        for _ in range(14):
            row, column = random.integers(0, 36), random.integers(0, 76)
            height, width = random.integers(6, 20), random.integers(6, 24)
            box = np.s_[row : row + height, column : column + width]
            semantic[box] = random.integers(1, 4)
            depth[box] = random.random()
        semantic[-4:] = 0
        return torch.from_numpy(semantic), torch.from_numpy(depth)[None]


def answer(key: str, threshold: float, min_area_px: int) -> np.ndarray:
    """Instances of the splitter itself, things of one group as one region."""
    streets = Streets()
    groups = torch.tensor(GROUPS)[streets.semantic(key)]
    observation = Observation(
        semantic=groups[None], things=torch.tensor([True, True]), depth=streets.depth(key)[None]
    )
    splitter = DepthGradientSplitter(threshold, min_area_px, 1.0, 3, ToggleSharpening())
    return splitter.split(observation).instance[0].numpy()


def page_of(out: Path) -> Path:
    streets = Streets()
    return write_label_report(
        out,
        streets,
        cluster_categories(4, (1, 2, 3)),
        ReportSources(lambda key: torch.full((3, 48, 96), 90, dtype=torch.uint8), streets.depth),
        RunDescription("streets"),
        groups=GROUPS,
        edges=EDGES,
    )


def test_levels_hold_the_one_of_the_run() -> None:
    levels = explorer_levels(EDGES)
    assert levels == sorted(levels)
    assert 0.02 in levels
    assert (levels[0], levels[-1]) == (0.001, 0.5)


def test_maps_say_region_and_levels_below_the_gradient() -> None:
    streets = Streets()
    explorer = LevelExplorer(DepthEdges(0.2, 0.0, 48), torch.tensor(GROUPS), [0.1, 0.2, 4.0])
    depth = torch.full((1, 48, 96), 0.2)
    depth[..., 48:] = 0.5  # a step of .3: four times .3 in Sobel's scale
    explored = explorer.explored("a", streets.semantic("a"), depth)
    maps = np.asarray(Image.open(io.BytesIO(base64.b64decode(explored["maps"].split(",")[1]))))
    region = torch.tensor(GROUPS)[streets.semantic("a")].numpy() + 1
    assert (maps[..., 1] == region).all()
    assert explored["size"] == [48, 96]
    step = np.isin(np.arange(96), (47, 48))[None]
    assert (maps[..., 0] == np.where(step & (region > 0), 2, 0)).all()


def test_lives_fall_by_area_and_end_between_their_levels() -> None:
    streets = Streets()
    explorer = LevelExplorer(EDGES, torch.tensor(GROUPS), explorer_levels(EDGES))
    lives = explorer.explored("a", streets.semantic("a"), streets.depth("a"))["lives"]
    areas = [life[3] for life in lives]
    assert areas == sorted(areas, reverse=True)
    assert len(areas) > 2
    assert all(lowest <= until and end <= until for lowest, end, until, _ in lives)


@pytest.mark.parametrize("missing", ["edges", "groups", "depth"])
def test_nothing_to_explore_without(missing: str) -> None:
    streets = Streets()
    sources = ReportSources(streets.semantic, None if missing == "depth" else lambda key: None)
    given = {"edges": EDGES, "groups": GROUPS} | ({missing: None} if missing != "depth" else {})
    assert explorer_of(["a"], streets, sources, given["edges"], given["groups"]) is None


def test_the_pages_rule_is_the_splitters(tmp_path: Path) -> None:
    """Runs the function of the page in node on the very maps that it gets."""
    page = page_of(tmp_path).read_text()
    explorer = json.loads(re.search(r'id="explorer">(.*?)</script>', page, re.DOTALL)[1])
    (function,) = re.findall(r"(function splitRegions.*?\n})", page, re.DOTALL)
    if shutil.which("node") is None:
        pytest.skip("node runs the scripts of pages")
    asked, expected = [], []
    for image in explorer["images"]:
        content = base64.b64decode(image["maps"].split(",")[1])
        maps = np.asarray(Image.open(io.BytesIO(content))).astype(int)
        region = (maps[..., 1] + 256 * maps[..., 2]).ravel().tolist()
        for index, area in ((5, 0), (explorer["levels"].index(0.02), 30), (30, 60), (40, 100)):
            height, width = image["size"]
            asked.append([maps[..., 0].ravel().tolist(), region, height, width, index, area])
            expected.append(answer(image["key"], explorer["levels"][index], area))
    program = f"""{function}
    const all = {json.dumps(asked)}.map(([above, region, height, width, index, area]) =>
      [...splitRegions({{above, region, height, width}}, index, area, 3).instance]);
    process.stdout.write(JSON.stringify(all));"""
    ran = subprocess.run(["node", "-"], input=program, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found = [np.array(one).reshape(48, 96) for one in json.loads(ran.stdout)]
    assert len({int(one.max()) for one in found}) > 3
    for one, instance in zip(found, expected, strict=True):
        assert (one == instance).all()


@pytest.mark.slow
@pytest.mark.parametrize("width_px", [1400, 800])
def test_sliders_paint_the_splitters_objects_in_a_browser(tmp_path: Path, width_px: int) -> None:
    hands = """
    const explored = document.querySelector(".explored");
    await until(() => explored.dataset.painted);
    const at = [...Array(41).keys()].find(i => JSON.parse(
      document.getElementById("explorer").textContent).levels[i] > .05);
    for (const [id, value] of [["level", at], ["area", 3]]) {
      const before = explored.dataset.painted, slider = document.getElementById(id);
      slider.value = value;
      slider.dispatchEvent(new Event("input"));
      await until(() => explored.dataset.painted !== before);
    }
    return {
      values: ["level-value", "area-value"].map(id => document.getElementById(id).value),
      pictures: [...explored.querySelectorAll("canvas")].map(canvas => canvas.toDataURL()),
      inputs: [...document.querySelectorAll(".example")].map(row => row.querySelector("img").src),
      shown: [...explored.querySelectorAll("img")].map(image => image.src),
      about: [...explored.querySelectorAll("p")].map(line => line.textContent),
      wide: document.documentElement.scrollWidth > innerWidth,
    };"""
    told = json.loads(told_by_chromium(page_of(tmp_path), hands, width_px))
    assert told["errors"] == []
    seen = told["seen"]
    assert not seen["wide"]
    assert seen["shown"] == seen["inputs"]
    assert seen["values"][1] == "50 px"
    for key, about, picture in zip("ab", seen["about"], seen["pictures"], strict=True):
        painted = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.split(",")[1]))))
        color = painted.astype(np.int64) @ [1, 256, 65536, 0]
        instance = answer(key, float(seen["values"][0]), 50)
        pairs = np.unique(np.stack((color[instance > 0], instance[instance > 0])), axis=1)
        assert len(pairs[0]) == len(set(pairs[0])) == len(set(pairs[1])) == instance.max()
        assert about.startswith(f"{key}: {instance.max()} objects")
