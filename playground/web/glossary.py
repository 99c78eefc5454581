"""Terms that the page uses, each explained in a sentence or two: on the page itself, and in docs/GLOSSARY.md."""

import re
from html import escape

import gradio as gr

# By the words that are looked for in a text; the first of them is the name in the list.
TERMS: dict[tuple[str, ...], str] = {
    ("annealed", "annealing"): "Langevin dynamics at one noise level after the other, from much noise, where all modes "
                               "are within reach, to little, where the details are (Song 2019).",
    ("attention",): "How a network decides which parts of its input matter at each place. The shares that a place "
                    "gives to all words of a prompt sum to 1.",
    ("autoencoder",): "A pair of networks: an encoder turns a picture into fewer numbers, a decoder turns these back.",
    ("β",): "Weight of the KL divergence in a VAE's loss: the price of information in the code.",
    ("bits per dimension",): "Negative log-likelihood of a picture in bits, divided by its number of values: how many "
                             "bits a perfect code would need for each. Fewer are better.",
    ("CLIP",): "Two networks, for pictures and for captions, trained together so that a picture and its caption get "
               "similar vectors.",
    ("code", "codes"): "The numbers from which a decoder or a generator draws a picture, often called z.",
    ("coupling", "couplings"): "A layer of a flow that changes some of the numbers depending on the others, which stay "
                               "as they are, so that it can be undone.",
    ("coverage",): "Share of the real pictures that have a generated one near them: it falls when kinds are missing.",
    ("DDIM",): "A sampler that can go from noise to a picture without any randomness on the way, in few steps "
               "(Song 2021).",
    ("DDPM",): "The sampler, and the training, with which diffusion models became known: a little fresh noise at every "
               "step (Ho 2020).",
    ("density",): "Height of a distribution at a place: how likely it is to draw something near it. It is not "
                  "a probability, and may be larger than 1.",
    ("dequantization",): "Noise that is added to whole-number pixels, so that a density of real numbers can describe "
                         "them.",
    ("discriminator",): "The network of a GAN that learns to tell real pictures from generated ones, called D.",
    ("distortion",): "What a reconstruction misses, −log p(x|z); what its code costs, the KL divergence, is the rate.",
    ("decoder",): "A network that turns a code or a latent into a picture.",
    ("DPM-Solver++",): "A sampler that solves the probability flow in few steps, by extrapolating from the last "
                       "estimates (Lu 2022).",
    ("ELBO",): "Evidence lower bound: a number that log p(x) is at least as large as, and that can be computed. A VAE "
               "maximizes it.",
    ("encoder",): "A network that turns a picture, or a text, into numbers that stand for it.",
    ("η", "eta"): "How much fresh noise DDIM adds at each step: 0 for none, 1 for as much as DDPM.",
    ("Fréchet distance",): "Distance between two sets of pictures: between the means and covariances of their features "
                           "in a classifier. FID is the same with another network.",
    ("generator",): "The network of a GAN that turns noise into pictures, called G.",
    ("gradient penalty",): "A term of a discriminator's loss that asks for a slope of 1 between real and generated "
                           "pictures (Gulrajani 2017).",
    ("guidance",): "Exaggeration of what a condition, such as a class or a prompt, changes in a prediction: w times "
                   "the way from the prediction without it to the one with it.",
    ("KL divergence", "KL"): "How far one distribution is from another, in nats: what it costs to take the second for "
                             "the first. It is 0 only if they are the same.",
    ("Langevin dynamics", "Langevin"): "A walk that follows the score uphill and is shaken by noise, whose visits "
                                       "end up distributed as the density.",
    ("latent", "latents"): "What stands for a picture inside a model: a code, or a small stack of feature maps.",
    ("likelihood",): "How probable a model finds given data; training by maximum likelihood makes real pictures as "
                     "probable as possible.",
    ("logit", "logits"): "A number before it is turned into a probability: 0 means one half, large means almost "
                         "certainly real.",
    ("minimax",): "The first loss of GANs: G minimizes what D maximizes (Goodfellow 2014).",
    ("mode collapse",): "A generator draws one or a few kinds of pictures, whatever its noise.",
    ("mode", "modes"): "A place where data are dense: one of several kinds of pictures, or one hill of a density.",
    ("moving average",): "Mean of a network's weights over its last steps of training, which makes better pictures "
                         "than any single one of them.",
    ("nats", "nat"): "Unit of information, as bits are, but with the natural logarithm: 1 nat is 1.44 bits.",
    ("non-saturating",): "The usual loss of a generator, which stays steep when the discriminator is sure of itself.",
    ("posterior",): "Distribution of a code once the picture is known: q(z|x), as the encoder estimates it.",
    ("predictor-corrector",): "A sampler that goes one step along the reverse process, then corrects by Langevin "
                              "dynamics (Song 2021).",
    ("prior",): "Distribution from which codes are drawn when nothing is known: here N(0, I), independent numbers with "
                "mean 0 and standard deviation 1.",
    ("probability flow",): "A path without randomness from noise to data, along which every noise level has the same "
                           "distribution as in diffusion.",
    ("PSNR",): "Peak signal-to-noise ratio in dB: how close two pictures are, pixel by pixel. More is closer.",
    ("R1", "R2"): "Penalties on the slope of a discriminator: R1 at real pictures, R2 at generated ones (Mescheder "
                  "2018).",
    ("× real",): "As a multiple of the distance between two sets of real pictures: at 1 × real, pictures are as good "
                 "as real ones.",
    ("recall",): "Share of the real pictures that lie among the generated ones: it falls when variety is lost.",
    ("reconstruction", "reconstructions"): "What a decoder makes of the code of a picture: the same picture, as far as "
                                           "the code describes it.",
    ("reparameterization",): "Writing a random code as z = μ + σ ε, so that the randomness is outside and gradients "
                             "reach μ and σ.",
    ("reverse process",): "The way from noise back to data, in small random steps that the score directs.",
    ("sampler",): "A rule that says how to move from one noise level to the next, given what the network predicts.",
    ("schedule",): "How much signal and how much noise a picture has at each time of a diffusion.",
    ("score",): "Gradient of the log-density: at each place the direction in which the data get denser, and how fast.",
    ("σ", "noise level"): "Standard deviation of the noise that was added.",
    ("SNR",): "Signal-to-noise ratio: the variance of the picture divided by that of the noise in it.",
    ("spectral norm",): "The most that a layer can lengthen any input. Dividing by it keeps a discriminator from being "
                        "too steep (Miyato 2018).",
    ("spline", "splines"): "A rising curve put together from pieces, here of rational functions, so that it can be "
                           "undone exactly (Durkan 2019).",
    ("temperature",): "A factor on the randomness: below 1, samples are more typical and less varied.",
    ("token", "tokens"): "A word, or a part of one, as a text encoder reads it.",
    ("total correlation",): "How far the dimensions of a code are from being independent of each other, in nats.",
    ("truncation",): "Keeping codes near 0, where a generator has practised most: better pictures, less variety.",
    ("Tweedie's formula",): "The mean of all clean pictures that may lie behind a noisy one, x + σ² times the score.",
    ("U-Net",): "A network that looks at a picture at several resolutions, and passes the details on directly.",
    ("Wasserstein",): "A distance between distributions, the least work of moving one onto the other, and the loss of "
                      "GANs built on it (Arjovsky 2017).",
    ("x̂0", "x̂<sub>0</sub>"): "The network's estimate of the finished picture, as of the shown step.",
    ("ε̂",): "The network's estimate of the noise in the picture.",
}  # fmt: skip
_ABOUT = {word.lower(): text for words, text in TERMS.items() for word in words}
_SKIP = r"\[[^\]]*\]\([^)]*\)|https?://\S+|`[^`]*`|<[^>]*>|\*\*[^*]*\*\*"  # links, code, tags and bold text
_WORD = re.compile(
    "|".join([_SKIP, *(rf"(?<!\w){re.escape(word)}(?![\w|-])" for word in sorted(_ABOUT, key=len, reverse=True))]),
    re.IGNORECASE,
)


def mark(text: str) -> str:
    """Return Markdown or HTML in which the first use of each term is marked, with its explanation as the title."""
    marked = set[str]()

    def replace(match: re.Match[str]) -> str:
        about = _ABOUT.get(match[0].lower())
        if about is None or about in marked:
            return match[0]
        marked.add(about)
        return f'<dfn tabindex="0" title="{escape(about)}">{match[0]}</dfn>'

    return _WORD.sub(replace, text)


def mark_page(page: gr.Blocks) -> None:
    """Mark the terms in the texts of a page, but not in the hints of controls, which Gradio shows as they are."""
    for component in page.blocks.values():
        if isinstance(component, gr.Markdown) and component.value:
            component.value = mark(component.value)


def as_markdown() -> str:
    """Return the glossary as a page of the documentation."""
    rows = [f"**{', '.join(words)}** — {text}" for words, text in TERMS.items()]
    return "\n\n".join(["# Glossary", *rows]) + "\n"
