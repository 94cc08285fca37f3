"""Runs the script of a page in node, with just enough of a document, and tells what it saves."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

DOCUMENT = """
class Element {
  constructor() {
    Object.assign(this, {style: {}, dataset: {}, children: [], handlers: {}, parts: {}});
    Object.assign(this, {value: "", tagName: "DIV"});
  }
  get classList() { return {toggle: () => {}}; }
  addEventListener(name, handler) { this.handlers[name] = handler; }
  replaceChildren(...children) { this.children = children; }
  append(...children) { this.children.push(...children); }
  querySelector(selector) { return this.parts[selector] ??= new Element(); }
  querySelectorAll(selector) { return this.parts[selector] ??= []; }
  getElementById(id) { return this.querySelector("#" + id); }
  createElement() { return new Element(); }
  scrollIntoView() {} focus() {} blur() {}
  click() { if (this.handlers.click) this.handlers.click(); }
}
const document = new Element(), pageHandlers = {};
const addEventListener = (name, handler) => { pageHandlers[name] = handler; };
const press = key => pageHandlers.keydown({key, target: {}, preventDefault() {}});
let saved = null;
class Blob { constructor(parts) { saved = parts.join(""); } }
class Option { constructor(text, value) { this.text = text; this.value = value; } }
URL.createObjectURL = () => "blob:"; URL.revokeObjectURL = () => {};
globalThis.localStorage = {getItem: () => null, setItem: () => {}};
"""


def saved_by(page: str, before: str, after: str) -> str:
    """Returns what a page saves.

    Args:
        page: Its HTML.
        before: JavaScript that makes the document.
        after: JavaScript that a person's hands stand for.
    """
    if shutil.which("node") is None:
        pytest.skip("node runs the scripts of pages")
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    end = 'document.getElementById("save").click(); process.stdout.write(saved);'
    program = "\n".join((DOCUMENT, before, script, after, end))
    ran = subprocess.run(["node", "-"], input=program, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
