"""What a step of text to image costs on latents, and would cost on pixels."""

from test_latent_diffusion import make_random_model

from playground.families.latent_diffusion.cost import measure_costs


def test_a_step_on_pixels_costs_more_than_the_places_say_and_the_decoder_takes_a_latent() -> None:
    latent, pixels, decoder = measure_costs(make_random_model())
    assert (latent.shape, pixels.shape, decoder.shape) == ((4, 4, 4), (3, 64, 64), (4, 4, 4))
    places = 64**2 / 4**2
    assert places / 2 < pixels.operations / latent.operations, "about as many times the places, and more in attention"
    assert pixels.numbers > latent.numbers * places / 2
    assert decoder.operations > 0
