"""A new family is four files: dropped into a copy of the repository, they are found everywhere, with nothing edited."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
COPIES = ("app.py", "pyproject.toml", "playground", "train", "tests")
FILES = {
    "family.py": "playground/families/toy/__init__.py",
    "recipe.py": "train/toy.py",
    "tab.py": "playground/tabs/toy.py",
    "checks.py": "tests/families/test_toy.py",
}
PROGRAM = """
from contextlib import suppress
from pathlib import Path
import app
from playground import __main__ as sampling
from playground.runtime.paths import Paths
from train import __main__ as training
page = app.build_page(Paths(Path("weights"), Path("data")))
components = [component.get_config() for component in page.blocks.values()]
print(*page.endpoints)
print([props.get("label") or props.get("value") for props in components if props.get("visible", True)])
with suppress(SystemExit):
    training.main(["--help"])
sampling.main(["list", "--weights", "weights"])
sampling.main(["sample", "toy-chequers", "--weights", "weights", "--n", "1", "--out", "toy.png"])
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with the four files, and without checkpoints."""
    folder = tmp_path_factory.mktemp("tree")
    for name in COPIES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    (folder / "weights").mkdir()
    for name, place in FILES.items():
        (folder / place).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "tests" / "toy" / name, folder / place)
    return folder


def python(tree: Path, *words: str) -> str:
    """What a command of Python in the copy prints."""
    done = subprocess.run([sys.executable, *words], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_trained_on_the_page_listed_and_sampled(tree: Path) -> None:
    assert python(tree, "-m", "train", "toy", "--precision", "no").strip().endswith("/weights/toy-chequers.safetensors")
    printed = python(tree, "-c", PROGRAM)  # in one process, since each imports torch anew
    assert ">Toy</a>" in printed
    assert "'Sample the toy'" in printed
    assert " sample_toy " in printed, "in the API too"
    assert "  toy: toy-chequers\n" in printed
    assert "toy-chequers  toy" in printed
    picture = Image.open(tree / "toy.png").resize((8, 8), Image.Resampling.NEAREST)
    bright = [[picture.getpixel((x, y)) > 127 for x in range(8)] for y in range(8)]
    assert bright == [[(x + y) % 2 == 1 for x in range(8)] for y in range(8)]


def test_the_tests_of_every_family_try_it(tree: Path) -> None:
    files = ["tests/families", "tests/test_imports.py", "tests/train/test_short_runs.py",
             "tests/train/test_command_line.py"]  # fmt: skip
    report = python(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "toy", "-rA", *files)
    for name in ("test_contract.py", "test_imports.py", "test_short_runs.py", "test_command_line.py", "test_toy.py"):
        assert f"{name}::" in report
    assert "skipped" not in report
