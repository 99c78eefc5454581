"""Scripts of the page: their computations, tried by Node's own test runner, and their bundles."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from playground.web import component

NODE = shutil.which("node")
COMPONENTS = sorted(path.parent.name for path in component.WEB.glob("*/*.html"))
needs_node = pytest.mark.skipif(NODE is None, reason="Node is not installed")


def run_node(*arguments: str) -> None:
    assert NODE
    result = subprocess.run([NODE, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@needs_node
@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("*.test.mjs")), ids=lambda path: path.stem)
def test_the_computations_of_the_scripts(path: Path) -> None:
    run_node("--test", str(path))


@needs_node
@pytest.mark.parametrize("name", COMPONENTS)
def test_a_bundle_is_the_body_of_a_function(name: str, tmp_path: Path) -> None:
    """As Gradio runs it."""
    path = tmp_path / f"{name}.cjs"
    body = component.bundle(component.WEB / name / f"{name}.js")
    path.write_text(f"(function (element, trigger, props, server, upload, watch) {{{body}\n}})")
    run_node("--check", str(path))


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_bundle_holds_each_module_once_and_before_its_use(name: str) -> None:
    body = component.bundle(component.WEB / name / f"{name}.js")
    assert not re.search(r"^(import|export)\b", body, re.MULTILINE)
    definitions = re.findall(r"^modules\['(.+)'\] =", body, re.MULTILINE)
    assert len(definitions) == len(set(definitions))
    for use in re.finditer(r"= modules\['(.+)'\];", body):
        assert body.index(f"modules['{use[1]}'] =") < use.start()


def test_scripts_and_styles_stay_small() -> None:
    """Each of the page's own, once, as the page gets it."""
    files = [path for suffix in ("js", "css") for path in component.WEB.rglob(f"*.{suffix}")]
    assert sum(len(component.read(path).encode()) for path in files) <= 150_000


def test_the_page_gets_no_comments_but_all_else(tmp_path: Path) -> None:
    script, style = tmp_path / "a.js", tmp_path / "a.css"
    script.write_text("// Explains.\nconst a = '/*'; // stays\n  // Explains.\n  const b = 'http://c/*/';\n")
    style.write_text("/* Explains,\n   at length. */\na { b: c; }   /* why */\nd { e: f; }\n")
    assert component.read(script) == "const a = '/*'; // stays\n  const b = 'http://c/*/';\n"
    assert component.read(style) == "\na { b: c; }\nd { e: f; }\n"


def test_every_import_names_an_export() -> None:
    for path in component.WEB.rglob("*.js"):
        for names, target in re.findall(r"import \{([^}]*)\} from '([^']+)'", path.read_text(encoding="utf-8")):
            source = (path.parent / target).read_text(encoding="utf-8")
            for name in re.findall(r"\w+", names):
                assert re.search(rf"^export (async )?(function|const|class) {name}\b", source, re.MULTILINE), path
