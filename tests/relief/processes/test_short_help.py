import re

import pytest

import evaluate
from label import LabelCLI
from relief.processes.short_help import PAGES, short_help
from train import TrainCLI


@pytest.mark.parametrize("script", ["label.py", "/somewhere/train.py", "evaluate"])
def test_help_alone_has_a_page(script):
    assert short_help(script, ["--help"]) == short_help(script, ["-h"])
    assert str(short_help(script, ["-h"])).startswith("usage: ")


@pytest.mark.parametrize(
    ("script", "args"),
    [("label.py", ["--config", "sample", "--help"]), ("label.py", []), ("pytest", ["--help"])],
)
def test_whatever_else_is_the_parsers(script, args):
    assert short_help(script, args) is None


def options_of(page: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z_.]+[a-z_]", page))


@pytest.mark.parametrize(("name", "cli"), [("label", LabelCLI), ("train", TrainCLI)])
def test_a_page_names_the_options_of_its_script_and_no_others(name, cli, monkeypatch, capsys):
    """The parser is asked for all its options, which it prints; so none can be forgotten."""
    monkeypatch.setenv("COLUMNS", "400")
    first = ["fit"] if name == "train" else []
    with pytest.raises(SystemExit):
        cli([*first, "--help"], out="unused", **({"run": False} if name == "label" else {}))
    shown = re.findall(r"(?m)^  (?:-\w.*?, )?(--[a-z_.]+[a-z_])", capsys.readouterr().out)
    lightning = {"--optimizer", "--lr_scheduler", "--print_config", "--weights_only", "--help"}
    plain = {o for o in shown if "." not in o} - lightning
    known = options_of(str(short_help(name, ["-h"])))
    groups = {option.partition(".")[0] for option in known}
    standing = {f"--{part}" for part in cli.standing}
    assert plain - groups - standing == set()
    unknown = {o for o in known if o not in shown and not o.startswith(("--model", "--data"))}
    assert unknown - {"--help"} == set()


def test_the_page_of_evaluate_names_its_commands():
    listed = re.findall(r"(?m)^  (\w+(?: objects)?)(?: NAME)?  ", PAGES["evaluate"])
    assert [name.replace(" ", "-") for name in listed] == list(evaluate.COMMANDS)
