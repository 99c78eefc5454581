"""The tour: twelve stops through the tabs, in the order of ideas; `?tour=5` in an address is the fifth."""

from typing import NamedTuple


class Stop(NamedTuple):
    """Stop of the tour."""

    address: str  # of a view with its settings
    target: str  # CSS selector of what it points at
    text: str  # what to look at, and what to try


STOPS = (
    Stop(
        "./",
        ".families",
        "Six families turn random numbers into pictures, each in its own way. These are live; the tour visits "
        "them in the order in which one idea led to the next.",
    ),
    Stop(
        "vae",
        "#vae-traverse .pictures",
        "An autoencoder squeezes this digit into twenty numbers and draws it again; the third picture shows "
        "what was lost. Move a slider below and see which number does what.",
    ),
    Stop(
        "vae?view=map",
        "#vae-map .plane",
        "Every point of this map is a code, and the decoder can draw it. Drag from one digit to another: what "
        "lies between is a picture too.",
    ),
    Stop(
        "vae?view=beta",
        "#vae-betas",
        "Information in the code has a price, β. At a low price pictures come back sharp, at a high one blurred: "
        "compare the rows, then choose another picture in the settings.",
    ),
    Stop(
        "gan?view=lab",
        "#gan-lab .planes",
        "No reconstruction here: a generator moves its points, and a discriminator says how real each looks. "
        "Press Play, then try the preset Cause collapse, and Fix it.",
    ),
    Stop(
        "gan?view=losses",
        "#gan-losses .strips",
        "The same codes while three losses train on digits. Drag the slider to see which loss learns first; then "
        "add Wasserstein, clipped, which never gets far.",
    ),
    Stop(
        "score_matching?view=lab",
        "#score-lab .planes",
        "Another idea: learn which way the data get denser, the score. Press Play, and move the noise level "
        "below the planes: much noise sees only the whole, little the details.",
    ),
    Stop(
        "score_matching?view=langevin",
        "#score-langevin .strips",
        "Particles that follow the score uphill, shaken by noise, become samples. Play, and read how "
        "many reach each mode; then try the sampler Annealed.",
    ),
    Stop(
        "ddpm?view=forward",
        "#ddpm-forward-scrubber .strips",
        "Diffusion drowns a picture in noise, a little at a time. Drag the slider: the network only ever "
        "learns to undo one small step.",
    ),
    Stop(
        "ddpm",
        "#ddpm-scrubber .strips",
        "Undo all steps, and digits come out of nothing but noise. Watch the middle picture: what the network "
        "expects is first a blur, then one digit.",
    ),
    Stop(
        "latent_diffusion",
        "#text-scrubber .words",
        "Words can steer the same process, here in the latents of an autoencoder, which are smaller than "
        "pictures. Point at a word to see where the network looks for it.",
    ),
    Stop(
        "normalizing_flow?view=lab",
        "#flow-lab .planes",
        "If every step can be undone exactly, the likelihood is known exactly. Press Play, then move through "
        "the layers, there and back.",
    ),
)
