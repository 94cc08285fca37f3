"""Opens a page in Chromium, lets a script be a person's hands, and gives back what it saw."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_FIRST = """<script>
const browserErrors = [];
addEventListener("error", event => browserErrors.push(event.message || "error of " + event.target));
addEventListener("unhandledrejection", event => browserErrors.push(String(event.reason)));
console.error = (...words) => browserErrors.push(words.join(" "));
</script>"""
_LAST = """<script>
(async () => {
  const until = async done => { while (!done()) await new Promise(go => setTimeout(go, 10)); };
  const press = key => dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
  let seen = null;
  try { seen = await (async () => { HANDS })(); }
  catch (error) { browserErrors.push(String(error)); }
  const told = document.createElement("pre");
  told.id = "told";
  told.textContent = JSON.stringify({seen, errors: browserErrors});
  document.body.append(told);
})();
</script>"""


def told_by_chromium(page: Path, hands: str, width_px: int = 1400) -> str:
    """Returns, as JSON, `seen` (what the hands return) and `errors` (of the page).

    Args:
        page: The HTML file.
        hands: Body of an asynchronous JavaScript function; `until(condition)` waits, `press(key)`
            presses a key.
        width_px: Of the window.
    """
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("chromium opens the pages")
    text = page.read_text(encoding="utf-8")
    touched = page.with_name("touched.html")
    touched.write_text(
        text.replace("<head>", "<head>" + _FIRST, 1).replace(
            "</body>", _LAST.replace("HANDS", hands) + "</body>"
        ),
        encoding="utf-8",
    )
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=60000")
    ran = subprocess.run(
        [
            program,
            *options,
            f"--window-size={width_px},900",
            "--dump-dom",
            touched.resolve().as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = re.search(r'<pre id="told">(.*?)</pre>', ran.stdout, re.DOTALL)
    assert found, ran.stderr[-2000:] + ran.stdout[-500:]
    return html.unescape(found.group(1))
