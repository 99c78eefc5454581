"""Generative Playground: python app.py, then open the address that it prints."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

# Cores that spin on for milliseconds between two operations would keep a browser on the same machine from showing a run
# under way. OpenMP reads this when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import gradio as gr
import tyro

from playground import checkpoint, compute
from playground.tabs import Places, discover
from playground.ui import links

try:
    import spaces
except ImportError:  # only on Hugging Face Spaces
    spaces = None

TITLE = "Generative Playground"
# Gradio's <base> makes plotly name the clip paths of its plots by the page's address, and links.py changes that.
HEAD = """<script>document.querySelector("base")?.remove();</script>"""
CSS = Path(__file__).with_name("playground") / "ui" / "page.css"


@dataclass(frozen=True)
class Options:
    """Open the playground in a browser. Gradio's GRADIO_* variables work too.

    Attributes:
        host: address to listen on; 0.0.0.0 lets other machines in.
        port: the first free one from 7860 on by default.
        share: a public link through Gradio's servers, for 72 hours.
        weights: the folder of the checkpoints.
        data: the folder of the data sets, fetched there when first needed.
    """

    host: str = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    port: int | None = int(os.environ["GRADIO_SERVER_PORT"]) if "GRADIO_SERVER_PORT" in os.environ else None
    share: bool = False
    weights: Path = checkpoint.WEIGHTS
    data: Path = Path("data")


# Gradio's own hints, links and buttons are too pale to read (2.6 : 1 to 4 : 1).
THEME = gr.themes.Default(primary_hue="blue", neutral_hue="slate").set(
    body_text_color_subdued="*neutral_600",
    block_info_text_color="*neutral_600",
    block_title_text_color="*neutral_700",
    link_text_color_dark="*primary_400",
    button_large_text_weight="700",  # see page.css
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_primary_background_fill_dark="*primary_600",
    button_primary_background_fill_hover_dark="*primary_700",
)


if spaces:

    @spaces.GPU(duration=1)
    def _gpu() -> None:
        """Never called: two CPU cores are enough, but a ZeroGPU Space does not start without such a function."""


def build(places: Places) -> gr.Blocks:
    """The page: one tab for each file in playground/tabs."""
    compute.keep_to_one_thread()
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 3600), fill_width=True) as page:
        gr.Markdown(f"# {TITLE}", elem_classes="title")
        with gr.Tabs(overflow_behavior="wrap") as tabs:
            for name, tab in discover().items():
                with gr.Tab(tab.title, id=name):
                    tab.build(page, places)
        links.select(page, tabs)
    return page.queue(max_size=64, default_concurrency_limit=1)


def launch(page: gr.Blocks, **options: object) -> tuple[object, str, str]:
    """Start serving, with the settings of this project."""
    return page.launch(
        theme=THEME,
        css_paths=CSS,
        head=HEAD,
        max_file_size="20mb",
        show_error=False,
        run_history=False,
        state_session_capacity=64,  # each may hold some 110 MB of frames
        footer_links=["api", "gradio"],
        **options,  # type: ignore[arg-type]
    )


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    found = checkpoint.find(options.weights)
    print(f"Checkpoints in {options.weights}: {', '.join(path.stem for path in found) or 'none'}")
    page = build(Places(options.weights, options.data))
    try:
        launch(page, server_name=options.host, server_port=options.port, share=options.share or None)
    except OSError as error:  # such as a port that is taken
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
