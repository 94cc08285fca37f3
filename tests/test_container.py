"""Rules of the Dockerfile; a build needs docker, which the tests do not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()


def steps(word: str) -> list[tuple[int, str]]:
    return [
        (i, line.split(maxsplit=1)[1]) for i, line in enumerate(LINES) if line.split(" ")[0] == word
    ]


def test_bases_are_pinned_to_a_version():
    bases = re.findall(r"BASE=(\S+)", "\n".join(LINES))
    assert len(bases) == 2  # the processor's and the one in the comment
    assert all(re.search(r":\d+\.\d+\.\d+-", base) for base in bases)
    assert [words for _, words in steps("FROM")] == ["${BASE}"]


def test_packages_are_installed_before_the_code_is_copied():
    (lists, code), (setup,) = steps("COPY"), [s for s in steps("RUN") if "make setup" in s[1]]
    assert lists[0] < setup[0] < code[0]
    copied = [name for name in lists[1].split() if name[0] not in "-."]
    assert copied == ["Makefile", "requirements.lock", "requirements-detectron2.txt"]
    assert all((ROOT / name).is_file() for name in copied)
    assert code[1].split()[-2:] == [".", "."]


def test_nothing_of_relief_runs_as_root():
    (user,) = steps("USER")
    assert user[1] == "relief"
    assert user[0] < min(i for i, words in steps("RUN") if "make setup" in words)


def test_lists_of_packages_do_not_stay_in_the_image():
    installs = [words for _, words in steps("RUN") if "apt-get install" in words]
    assert len(installs) == 1
    assert "--no-install-recommends" in installs[0]
    assert installs[0].rstrip().endswith("rm -rf /var/lib/apt/lists/*")


@pytest.mark.parametrize("left_out", [".git", ".venv", "outputs"])
def test_what_is_large_or_private_is_left_out(left_out):
    assert left_out in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_it_starts_what_the_package_is():
    assert steps("ENTRYPOINT") == [(len(LINES) - 2, '["python", "-m", "relief"]')]
    assert steps("CMD") == [(len(LINES) - 1, '["doctor"]')]
