"""The Dockerfile and what stands beside it agree with the app, as far as can be seen without building an image."""

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import tyro
from server import in_process

import app
from playground.runtime.paths import Paths

ROOT = Path(__file__).resolve().parent.parent
LINES = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
INSTRUCTIONS = [line.split(maxsplit=1) for line in LINES if line and not line.startswith("#")]
COMPOSE = (ROOT / "compose.yaml").read_text()
NGINX = (ROOT / "deploy" / "nginx.conf").read_text()


def arguments(instruction: str) -> list[str]:
    """Return what stands behind an instruction, wherever it occurs."""
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def command(text: str) -> list[str]:
    """Return the words of a command in its exec form."""
    return json.loads(text[text.index("[") :])


def options() -> app.Options:
    """Return the app's options as the container starts it."""
    python, script, *flags = command(arguments("CMD")[-1])
    assert (python, script) == ("python", "app.py")
    return tyro.cli(app.Options, args=flags)


def is_sent(path: str) -> bool:
    """Return whether .dockerignore lets a path of the tree into the build."""
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    matching = [rule for rule in rules if fnmatch.fnmatch(path, rule.lstrip("!").replace("**/", "*"))]
    return not matching or matching[-1][0] == "!"


def test_what_is_copied_exists_and_is_sent() -> None:
    sources = [source for rest in arguments("COPY") for source in shlex.split(rest)[:-1]]
    assert {"app.py", "playground", "weights"} <= {*sources}
    assert all((ROOT / source).exists() and is_sent(source) for source in sources)
    assert not any(map(is_sent, (".git", ".venv", "data", "runs", "playground/__pycache__", "weights/a.lock")))


@pytest.mark.slow
def test_what_is_copied_is_all_that_the_app_needs(tmp_path: Path) -> None:
    """The steps of the image in a plain folder, but for those that install packages."""
    for rest in arguments("COPY"):
        *sources, target = shlex.split(rest)
        for source in sources:
            place = tmp_path / target / (source if target == "./" else "")
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__", "*.lock"))
            else:
                shutil.copyfile(ROOT / source, place)
    (compiling,) = (rest.partition("&&")[0] for rest in arguments("RUN") if rest.startswith("python"))
    python, script, *flags = command(arguments("CMD")[-1])
    for words in (shlex.split(compiling), [python, script, *flags, "--weights", "nowhere"]):
        done = subprocess.run([sys.executable, *words[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    sentence = "--weights must be a folder, and there is no folder nowhere\n"
    assert (done.returncode, done.stderr) == (1, sentence), "the app has all that it imports"
    assert len([*(tmp_path / "playground").rglob("*.pyc")]) > 100, "compiled, since nothing can be written later"


def test_the_container_is_an_ordinary_user_that_may_write_its_folders() -> None:
    (user,) = arguments("USER")
    number = user.partition(":")[0]
    assert int(number) > 0
    names = [name for name, _ in INSTRUCTIONS]
    assert not {"RUN", "COPY"} & {*names[names.index("USER") :]}, "what is built belongs to root"
    assert arguments("VOLUME") == [str(options().data)]
    assert f"install -d -o {number} -g {number} {options().data}" in " ".join(arguments("RUN"))
    assert f":{options().data}\n" in COMPOSE


def test_all_parts_agree_on_the_ports_and_the_sub_path() -> None:
    port, host = options().port, options().host
    assert (arguments("EXPOSE"), host) == ([str(port)], "0.0.0.0")
    assert f"server app:{port};" in NGINX
    (listen,) = re.findall(r"listen (\d+);", NGINX)
    assert f"- {listen}:{listen}\n" in COMPOSE
    (prefix,) = re.findall(r"GRADIO_ROOT_PATH: (\S+)", COMPOSE)
    assert f"location {prefix}/ {{" in NGINX
    assert "./deploy/nginx.conf:" in COMPOSE


def test_the_health_check_tells_whether_the_app_answers(tmp_path: Path) -> None:
    (text,) = arguments("HEALTHCHECK")
    python, *words = command(text)
    assert python == "python"
    with in_process(Paths(tmp_path, tmp_path)) as address:
        here = httpx.URL(address).netloc.decode()
        words = [word.replace(f"127.0.0.1:{options().port}", here) for word in words]
        assert any(here in word for word in words)
        subprocess.run([sys.executable, *words], check=True, timeout=120)
    assert subprocess.run([sys.executable, *words], capture_output=True, timeout=120).returncode != 0
