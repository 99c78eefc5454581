"""Rules of imports between packages: from the page to the mathematics, and never back.

A module's rule is the first pattern below that matches its name; it lists the modules of this project that it may
import. Before adding an arrow, check that the code is in the right place.
"""

import ast
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ("app", "playground", "train")
LOWER = ["playground.nn.*", "playground.diffusion.*", "playground.datasets.*", "playground.runtime.*"]
FAMILIES = sorted(path.name for path in (ROOT / "playground" / "families").iterdir() if (path / "__init__.py").exists())
BASES = {"autoencoder": ["vae"], "latent_diffusion": ["ddpm", "autoencoder", "clip"]}

RULES: dict[str, list[str]] = {
    # the page
    "app": ["playground.*"],
    "playground.tabs.*": ["playground.*"],
    "playground.web.api": ["playground.api.*", "playground.web.*", "playground.runtime.*"],
    "playground.web.*": [f"playground.{room}.*" for room in ("web", "diffusion", "datasets", "export", "runtime")],
    # without a browser
    "playground.api.*": [
        "playground.api.*",
        "playground.pipeline",
        "playground.families.*",
        "playground.export.*",
        *LOWER,
    ],
    "playground.__main__": ["playground.*"],
    "train.*": ["train.*", "playground.families.*", *LOWER],
    # a family imports itself, the packages below, and the families that it builds on
    **{
        f"playground.families.{name}.*": [*(f"playground.families.{n}.*" for n in (name, *BASES.get(name, ()))), *LOWER]
        for name in FAMILIES
    },
    "playground.families": [],
    # below: each imports only itself and the runtime, which all share
    **{
        f"playground.{room}.*": [f"playground.{room}.*", "playground.runtime.*"]
        for room in ("diffusion", "nn", "datasets", "export", "runtime")
    },
    # for scripts and notebooks
    "playground.pipeline": ["playground.export.*", "playground.runtime.*"],
    "playground": ["playground.pipeline"],
}
UI = ["app", "playground.tabs.*", "playground.web.*"]  # may import gradio


def matches(name: str, patterns: list[str]) -> bool:
    """Return whether a dotted name matches a pattern; `a.*` matches a and everything in it."""
    return any(fnmatchcase(name, pattern) or f"{name}.*" == pattern for pattern in patterns)


def imports(source: str, module: str, modules: set[str]) -> set[str]:
    """Return the modules that a source imports; `from a import b` counts as a.b if that is a module, else as a."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(module.split(".")[: -node.level]) if node.level else ""
            base = ".".join(part for part in (base, node.module) if part)
            names |= {name if (name := f"{base}.{alias.name}") in modules else base for alias in node.names}
    return names


def violations(source: str, module: str, modules: set[str]) -> list[str]:
    """Return the imports of a module that break the rules, one line for each."""
    allowed = next((rule for pattern, rule in RULES.items() if matches(module, [pattern])), [])
    messages = []
    for name in sorted(imports(source, module, modules)):
        if name.split(".")[0] in PROJECT and not matches(name, [*allowed, module]) and name != "playground":
            messages.append(
                f"{module} imports {name}; tests/test_imports.py allows {', '.join(allowed) or 'nothing of ours'}"
            )
        if name.split(".")[0] == "gradio" and not matches(module, UI):
            messages.append(f"{module} imports gradio, which belongs to the page")
    return messages


def find_modules() -> dict[str, Path]:
    """Return the project's files by dotted name."""
    files = [ROOT / "app.py", *(ROOT / "playground").rglob("*.py"), *(ROOT / "train").rglob("*.py")]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in files
        if path.exists()
    }


MODULES = find_modules()


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_rules(module):
    assert not violations(MODULES[module].read_text(), module, set(MODULES))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("playground.nn.unet", "from playground.families import ddpm"),
        ("playground.nn.unet", "from playground.diffusion import schedule"),
        ("playground.diffusion.schedule", "import playground.nn.unet"),
        ("playground.datasets.mnist", "from playground.families.vae import Model"),
        ("playground.families.ddpm", "def f():\n    from playground.families import judge"),
        ("playground.families.ddpm", "from . import judge"),
        ("playground.families.ddpm", "from .judge import Model"),
        ("playground.families.ddpm", "from playground.export import media"),
        ("playground.families.latent_diffusion", "from playground.families import judge"),
        ("playground.families.ddpm", "import gradio as gr"),
        ("playground.runtime.checkpoint", "from playground.families import ddpm"),
        ("playground.runtime.checkpoint", "from playground.families.ddpm import Model"),
        ("playground.web.scrubber", "from playground.families import ddpm"),
        ("playground.web.scrubber", "from playground.tabs import TAB"),
        ("playground.__main__", "from gradio.utils import anything"),
        ("train.fit", "from playground.web import scrubber"),
        ("train.fit", "import gradio"),
        ("train.fit", "import app"),
    ],
)  # fmt: skip
def test_a_forbidden_import_is_found(module, source):
    assert len(violations(source, module, set(MODULES) | {"playground.tabs", "playground.web.scrubber"})) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("app", "import gradio as gr\nfrom playground.tabs import discover"),
        ("playground.tabs.ddpm", "import gradio\nfrom playground.families import ddpm"),
        ("playground.runtime.checkpoint", "from playground.runtime import files\nimport torch"),
        ("playground.families.ddpm", "from playground.diffusion import schedule\nfrom playground.nn.unet import UNet"),
        ("playground.families.latent_diffusion", "from playground.families import ddpm"),
        ("playground.diffusion.samplers", "from playground.diffusion.schedule import NoiseSchedule"),
        ("train.ddpm", "from train import fit\nfrom playground.families import ddpm\nimport playground.datasets.mnist"),
    ],
)  # fmt: skip
def test_an_allowed_import_is_not(module, source):
    assert not violations(source, module, set(MODULES))


def test_training_and_sampling_load_no_gradio():
    """Not even through another package: a machine for training has torch and no Gradio."""
    names = [module for module in MODULES if not matches(module, UI)]
    code = (
        f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\nsys.exit('gradio' in sys.modules)"
    )
    assert {
        "playground.families.ddpm",
        "playground.datasets.mnist",
        "train.fit",
        "playground.runtime.checkpoint",
    } <= set(names)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
