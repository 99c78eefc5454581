"""Who may import whom. The arrows point from what is shown to what is computed, and never back.

A module's rule is the first pattern below that matches its name; it lists what it may import of this project.
To allow an arrow, add it here, and ask first whether the code is in the right place.
"""

import ast
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ("app", "playground", "train")
BOTTOM = ["playground.nets", "playground.schedule", "playground.prediction", "playground.validation",
          "playground.compute", "playground.sampling", "playground.elbo", "playground.adversarial",
          "playground.invertible", "playground.langevin"]  # fmt: skip
OUTPUT = ["playground.pictures", "playground.recording", "playground.exports", "playground.formulas"]

RULES: dict[str, list[str]] = {
    # the page
    "app": ["playground.*"],
    "playground.tabs.*": ["playground.*"],
    "playground.ui.*": [
        "playground.ui.*",
        "playground.data.*",
        "playground.validation",
        *OUTPUT,
    ],
    # without a browser
    "playground.__main__": ["playground.*"],
    "train.*": [
        "train.*",
        "playground.models.*",
        "playground.data.*",
        "playground.checkpoint",
        *BOTTOM,
        "playground.pictures",
        "playground.history",
        "playground.labs.*",
    ],
    # the families: each its own file, and text to image stands on three others
    "playground.models.text_to_image": [
        *BOTTOM,
        *(f"playground.models.{stem}" for stem in ("ddpm", "autoencoder", "clip")),
    ],
    "playground.models": [],
    "playground.models.*": BOTTOM,
    "playground.checkpoint": [
        "playground.models",
        "playground.validation",
    ],  # the package, to list it; a family by its name, at call time
    # what a run becomes: pictures, recordings, files, formulas
    "playground.recording": ["playground.pictures", "playground.sampling"],
    "playground.exports": ["playground.pictures"],
    "playground.formulas": ["playground.schedule", "playground.prediction"],
    "playground.pictures": ["playground.validation"],
    "playground.history": ["playground.validation"],
    "playground.adversarial": ["playground.validation"],
    "playground.langevin": ["playground.sampling", "playground.schedule"],
    "playground.labs": [],
    "playground.labs.*": ["playground.labs", "playground.data.*", "playground.models.*", *BOTTOM],
    # the bottom: third party only, but for the one kind of error that speaks to users
    "playground.sampling": ["playground.schedule"],
    "playground.data.*": ["playground.data.*", "playground.validation"],
    "playground.*": [],
    "playground": [],
}
UI = ["app", "playground.tabs.*", "playground.ui.*"]  # who may import gradio


def matches(name: str, patterns: list[str]) -> bool:
    """Whether a dotted name is one of the patterns; a pattern `a.*` is a and what is inside it."""
    return any(fnmatchcase(name, pattern) or f"{name}.*" == pattern for pattern in patterns)


def imports(source: str, module: str, known: set[str]) -> set[str]:
    """The dotted names that a source imports; of `from a import b` a.b where that is a module, and otherwise a."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(module.split(".")[: -node.level]) if node.level else ""
            base = ".".join(part for part in (base, node.module) if part)
            found |= {name if (name := f"{base}.{alias.name}") in known else base for alias in node.names}
    return found


def violations(source: str, module: str, known: set[str]) -> list[str]:
    """What a module imports against the rules, one line for each."""
    allowed = next((rule for pattern, rule in RULES.items() if matches(module, [pattern])), [])
    wrong = []
    for name in sorted(imports(source, module, known)):
        if name.split(".")[0] in PROJECT and not matches(name, [*allowed, module]) and name != "playground":
            wrong.append(
                f"{module} imports {name}; tests/test_imports.py allows {', '.join(allowed) or 'nothing of ours'}"
            )
        if name.split(".")[0] == "gradio" and not matches(module, UI):
            wrong.append(f"{module} imports gradio, which belongs to the page")
    return wrong


def modules() -> dict[str, Path]:
    """The project's files by dotted name."""
    files = [ROOT / "app.py", *(ROOT / "playground").rglob("*.py"), *(ROOT / "train").rglob("*.py")]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in files
        if path.exists()
    }


KNOWN = modules()


@pytest.mark.parametrize("module", KNOWN)
def test_imports_follow_the_arrows(module):
    assert not violations(KNOWN[module].read_text(), module, set(KNOWN))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("playground.nets", "from playground.models import ddpm"),
        ("playground.nets", "from playground import schedule"),
        ("playground.schedule", "import playground.sampling"),
        ("playground.data.digits", "from playground.checkpoint import load"),
        ("playground.models.ddpm", "def f():\n    from playground.models import judge"),
        ("playground.models.ddpm", "from . import judge"),
        ("playground.models.ddpm", "from .judge import Model"),
        ("playground.models.ddpm", "from playground.checkpoint import load"),
        ("playground.models.text_to_image", "from playground.models import judge"),
        ("playground.models.ddpm", "import gradio as gr"),
        ("playground.checkpoint", "from playground.models import ddpm"),
        ("playground.checkpoint", "from playground.models.ddpm import Model"),
        ("playground.ui.scrubber", "from playground.models import ddpm"),
        ("playground.ui.scrubber", "from playground.tabs import TAB"),
        ("playground.__main__", "from gradio.utils import anything"),
        ("train.loop", "from playground.ui import scrubber"),
        ("train.loop", "import gradio"),
        ("train.loop", "import app"),
    ],
)  # fmt: skip
def test_a_wrong_arrow_is_found(module, source):
    assert len(violations(source, module, set(KNOWN) | {"playground.tabs", "playground.ui.scrubber"})) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("app", "import gradio as gr\nfrom playground.tabs import discover"),
        ("playground.tabs.ddpm", "import gradio\nfrom playground.models import ddpm\nfrom playground.ui import links"),
        ("playground.checkpoint", "import playground.models\nimport torch"),
        ("playground.models.ddpm", "from playground import nets\nfrom playground.nets import UNet"),
        ("playground.models.text_to_image", "from playground.models import ddpm"),
        ("playground.sampling", "from playground.schedule import NoiseSchedule"),
        ("train.ddpm", "from train import loop\nfrom playground import models\nfrom playground.data import digits"),
    ],
)  # fmt: skip
def test_a_right_arrow_is_none(module, source):
    assert not violations(source, module, set(KNOWN))


def test_training_and_sampling_load_no_gradio():
    """Not even through a third party: a machine that trains has torch and no page."""
    pure = [module for module in KNOWN if not matches(module, UI)]
    code = (
        f"import importlib, sys\nfor name in {pure}: importlib.import_module(name)\nsys.exit('gradio' in sys.modules)"
    )
    assert {"playground.models.ddpm", "playground.data.digits", "train.loop", "playground.checkpoint"} <= set(pure)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
