"""The wheel: it holds the files of the tree, and works without the tree."""

import subprocess
import sys
import zipfile
from collections.abc import Iterable
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
IGNORED = {"__pycache__", ".lock", ".partial"}  # left behind by using the tree


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it as an installation does."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def distribution(site: Path) -> Distribution:
    (info,) = site.glob("*.dist-info")
    return PathDistribution(info)


def files(folder: Path) -> set[str]:
    """Return the files in a folder, without the `IGNORED` ones."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if not IGNORED & {*path.parts, path.suffix}}


def test_a_wheel_holds_code_styles_scripts_and_checkpoints(site: Path) -> None:
    expected = {"app.py", *(f"playground/weights/{name}" for name in files(ROOT / "weights"))}
    for package in ("playground", "train"):
        expected |= {f"{package}/{name}" for name in files(ROOT / package)}
    packed = {name for name in files(site) if ".dist-info/" not in name}
    assert packed == expected
    assert {"playground/web/page.css", "playground/weights/ddpm-digits.safetensors"} <= packed


def requirements(lines: Iterable[str]) -> dict[str, SpecifierSet]:
    """Return the required versions of each package."""
    parsed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement.specifier for requirement in parsed}


def test_the_requirements_are_those_of_the_files(distribution: Distribution) -> None:
    required = distribution.requires or []
    extra = [line for line in required if "extra ==" in line]
    assert requirements(line for line in required if line not in extra) == requirements(lines("requirements.txt"))
    assert requirements(extra) == requirements(lines("requirements-train.txt"))


def lines(name: str) -> list[str]:
    return (ROOT / name).read_text().splitlines()


def test_the_licence_is_apache_2(distribution: Distribution) -> None:
    assert distribution.metadata["License-Expression"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in (distribution.read_text("licenses/LICENSE") or "")


def test_an_installation_finds_its_code_and_its_checkpoints(
    site: Path, distribution: Distribution, tmp_path: Path
) -> None:
    """All entry points can be loaded, and `playground-sample` draws with a checkpoint of the wheel."""
    points = {point.name: point.value for point in distribution.entry_points}
    assert points.keys() == {"generative-playground", "playground-sample", "playground-train"}
    code = f"import pkgutil, sys; mains = {{k: pkgutil.resolve_name(v) for k, v in {points}.items()}}"
    words = ["vae-digits", "--n", "1", "--out", str(tmp_path / "sample.png")]
    command = [sys.executable, "-c", f"{code}; sys.exit(mains['playground-sample']())", *words]
    subprocess.run(command, cwd=site, check=True)
    assert (tmp_path / "sample.png").exists()
