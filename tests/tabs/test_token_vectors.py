"""The vectors of a prompt's tokens, as text to image shows them."""

import re

from test_latent_diffusion import make_random_model

from playground.runtime import pictures
from playground.tabs.latent_diffusion import token_vectors
from playground.web.scrubber.sheets import data_url


def test_the_same_token_has_one_vector_but_a_state_for_each_place() -> None:
    model = make_random_model()
    rows = re.findall(
        r"<th scope=row>(\w+)</th><td><img src=\"([^\"]+)\".*?<td><img src=\"([^\"]+)\"",
        token_vectors.table(model, "a pizza on a blue background"),
    )
    words = [word for word, *_ in rows]
    assert words == ["start", "a", "pizza", "on", "a", "blue", "background", "end"]
    first, second = (rows[i] for i in (1, 4))
    assert first[1] == second[1] != rows[2][1]
    assert first[2] != second[2]
    encoder = model.components().encoder
    states = encoder.context(encoder.tokenize(["a pizza on a blue background"])).states[0, : len(rows)]
    expected = pictures.noise_to_uint8((states / states.std()).reshape(-1, 1, 4, states.shape[1] // 4))
    assert [state for *_, state in rows] == [data_url(image) for image in expected]
