"""Components of our own: a `gr.HTML` from the HTML, the style and the scripts in a folder of this package.

Scripts are ES modules, so that Node's test runner can import them. Gradio runs a component's script as the body of a
function, where `import` declarations are not allowed, and an asynchronous `import()` would miss the first value; so
`bundle` puts a script and the modules that it imports into one text.
"""

import re
import uuid
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr

WEB = Path(__file__).resolve().parent.parent
Value: TypeAlias = dict[str, Any]  # JSON object that a component's script reads

_IMPORT = re.compile(r"^import (\{[^}]*\}) from '([^']+)';$", re.MULTILINE)
_COMMENT = {".js": re.compile(r"^[ ]*//.*\n", re.MULTILINE), ".css": re.compile(r"[ ]*/\*.*?\*/", re.DOTALL)}
_EXPORT = re.compile(r"^export ((?:async )?function|const|class) (\w+)", re.MULTILINE)


def build(name: str, words: dict[str, str] | None = None, **properties: Any) -> gr.HTML:
    """Build the component in the folder `name`; the style of the modules that its script imports comes with them.

    Args:
        name: Folder and stem of the component's .html, .js and .css.
        words: Replacements of words in its HTML, which are in capitals there.
        properties: Arguments of `gr.HTML`.
    """
    script = WEB / name / f"{name}.js"
    html = script.with_suffix(".html").read_text(encoding="utf-8")
    for word, text in (words or {}).items():
        html = html.replace(word, text)
    styles = [Path(__file__).with_name("component.css"), *(path.with_suffix(".css") for path in _modules(script))]
    return gr.HTML(
        html_template=html,
        css_template="".join(read(style) for style in styles if style.exists()),
        js_on_load=bundle(script),
        apply_default_css=False,
        **properties,
    )


def message(text: str, outdated: bool = False) -> Value:
    """Return the value that shows a message in any of the components, and leaves what else it shows: faded if it is
    `outdated`, since it belongs to another input than the controls hold now."""
    return {"id": uuid.uuid4().hex, "message": text, "outdated": outdated}


def bundle(script: Path) -> str:
    """Return a script as one text: each module that it imports is a function that returns its exports."""
    *modules, main = (_inline(path) for path in _modules(script))
    return "\n".join(["const modules = {};", *modules, main])


def read(path: Path) -> str:
    """Return a script or a style as the page gets it, without the comments, which are for readers of the code; those
    behind a statement of a script stay."""
    return _COMMENT[path.suffix].sub("", path.read_text(encoding="utf-8"))


def _modules(script: Path) -> list[Path]:
    """Return the modules that a script imports, directly or not, each after those it imports, and last the script."""
    modules: list[Path] = []
    for _, target in _IMPORT.findall(script.read_text(encoding="utf-8")):
        modules += [path for path in _modules((script.parent / target).resolve()) if path not in modules]
    return [*modules, script]


def _inline(path: Path) -> str:
    """Return the text of a module for a bundle; one that exports nothing is not wrapped."""

    def take(match: re.Match[str]) -> str:
        return f"const {match[1]} = modules['{_key((path.parent / match[2]).resolve())}'];"

    source = _IMPORT.sub(take, read(path))
    exports = ", ".join(name for _, name in _EXPORT.findall(source))
    if not exports:
        return source
    body = _EXPORT.sub(r"\1 \2", source)
    return f"modules['{_key(path)}'] = (() => {{\n{body}\nreturn {{{exports}}};\n}})();"


def _key(path: Path) -> str:
    return path.relative_to(WEB).as_posix()
