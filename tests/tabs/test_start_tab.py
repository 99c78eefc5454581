"""The start page: its films are runs of the models, and its table leads to views that exist."""

import base64
import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image
from shipped import SHIPPED

import app
from playground.runtime.paths import Paths
from playground.tabs import discover, start
from playground.tabs.ddpm import runs
from playground.tabs.start import films
from playground.tabs.start.questions import QUESTIONS


def test_codes_go_round_a_circle_and_stay_normal() -> None:
    rng = torch.Generator().manual_seed(0)
    z, across = torch.randn(2, 4000, 6, generator=rng)
    seen: list[torch.Tensor] = []

    def decode(code: torch.Tensor) -> torch.Tensor:
        seen.append(code)
        return torch.zeros(1, 1, 2, 2)

    assert films.around(z, across, decode).shape == (films.FRAMES, 2, 2 * films.COLUMNS, 1)
    torch.testing.assert_close(seen[0], z)
    torch.testing.assert_close(seen[films.FRAMES // 4], across, atol=1e-5, rtol=0)
    torch.testing.assert_close(seen[films.FRAMES // 2], -z, atol=1e-5, rtol=0)
    for code in seen:
        assert abs(code.std() - 1) < 4 / (2 * code.numel()) ** 0.5, "four standard errors"


@pytest.mark.parametrize("name", start.ABOUT)
def test_a_film_moves_and_is_not_empty(name: str) -> None:
    film = start.ABOUT[name].film(SHIPPED)
    assert film.dtype == np.uint8
    assert 1.9 < film.shape[2] / film.shape[1] < 4.1, "as wide as its card"
    assert film[-1].std() > 10
    assert all((a != b).any() for a, b in zip(film[:-1:8], film[1::8], strict=False))


def test_a_film_plays_once_and_rests() -> None:
    page = films.to_html(np.arange(0, 250, 50, dtype=np.uint8).repeat(64).reshape(5, 8, 8, 1), "A film.")
    still, moving = (Image.open(io.BytesIO(base64.b64decode(data))) for data in re.findall(r"base64,([^\"]+)", page))
    assert (moving.n_frames, moving.info["loop"]) == (5, 1)
    assert not getattr(still, "is_animated", False)


def test_the_film_of_a_run_is_that_run() -> None:
    run = runs.first(SHIPPED, "ddpm-digits")
    film = films.ddpm_film(SHIPPED)
    assert np.array_equal(film[-1][:32, 64:96], run.images[2])
    assert np.array_equal(film[-1][32:, :32], run.images[5])


def test_what_is_wrong_with_a_model_stands_on_its_card(tmp_path: Path) -> None:
    card = start.show_film(Paths(tmp_path, tmp_path), "vae", discover()["vae"])
    assert "is missing" in card
    assert "<img" not in card


def test_no_other_event_waits_for_films(tmp_path: Path) -> None:
    page = app.build_page(Paths(tmp_path, tmp_path))
    films_of, others = (
        {
            event.concurrency_id
            for event in page.fns.values()
            if (getattr(event.fn, "func", None) == start.show_film) == is_film
        }
        for is_film in (True, False)
    )
    assert len(films_of) == 1
    assert not films_of & others


def test_every_answer_and_every_experiment_leads_to_a_view() -> None:
    page = app.build_page(SHIPPED)
    views: dict[str, set[Any]] = {}
    for block in page.blocks.values():
        if isinstance(block, gr.Tab):
            views.setdefault(block.page, set()).add(block.id)
    assert set(start.ABOUT) == set(discover()) - {"start", "compare"}
    answers = [answer.address for about in start.ABOUT.values() for answer in about.answers]
    experiments = [one.address for question in QUESTIONS.values() for one in question.experiments]
    for address in answers + experiments:
        name, _, query = address.partition("?")
        assert name in discover()
        view = dict(parse_qsl(query)).get("view")
        assert not view or view in views[name], address
