"""Parts of the wheel: `relief`, and beneath it the rooms that stand at the top here.

Their general names (`callbacks`, `datamodules`, ...) are on nobody's path in an environment: they
lie in `relief/house`, which only the command `relief` and the scripts that it runs put on theirs.
"""

from pathlib import Path

from setuptools import find_packages, setup

LISTED, _, _ = Path("requirements.in").read_text(encoding="utf-8").partition("\n# tests and")
NEEDED = [line.partition(" #")[0] for line in LISTED.splitlines() if line[:1] not in ("", "#")]
DEPTH = [line for line in NEEDED if line.startswith("transformers")]
ROOMS = find_packages(include=["callbacks*", "datamodules*", "lightning_modules*"])
HOUSE = {"relief.house": "."} | {f"relief.house.{r}": r.replace(".", "/") for r in ROOMS}

setup(
    packages=[*find_packages(include=["relief*"]), *HOUSE],
    package_dir=HOUSE,
    package_data={
        "relief.house": ["configs/**/*.yaml"],
        "relief.reports": ["*.css", "*.html"],
        "relief.samples": ["weights/*.safetensors"],
    },
    include_package_data=False,
    install_requires=[line for line in NEEDED if line not in DEPTH],
    extras_require={
        "depth": DEPTH,
        "crf": ["pydensecrf2==1.1"],
        "export": ["pyarrow>=20"],
        "onnx": ["onnx>=1.20", "onnxruntime>=1.24", "onnxscript>=0.6"],
    },
)
