"""Questions that people are asked about generative models, each with a guess, an answer and its experiments: on the
start page, where `?question=NAME` in the address opens one, and in docs/QUESTIONS.md."""

from html import escape
from typing import NamedTuple

from playground.web import glossary


class Experiment(NamedTuple):
    """Link to a view with the settings that show an answer."""

    text: str
    address: str


class Question(NamedTuple):
    """Question, what the reader guesses first, and the answer."""

    title: str
    guess: str  # what the reader is asked before the answer
    choices: tuple[str, ...]
    answer_index: int  # of the choice that comes true
    observation: str  # what the experiment shows
    answer: str  # at most five sentences
    experiments: tuple[Experiment, ...]


_D_WINS = "r1=0&r2=0&k=10&lr_d=0.01&lr_g=0.0002&momentum=0.5&batch=128&ema_decay=0"  # settings of the lab
QUESTIONS = {
    "vae-or-gan": Question(
        "VAE or GAN, and when?",
        "Both draw digits from random codes. Which of them also learns to find the code of a digit that you draw?",
        ("The VAE", "The GAN", "Both"),
        0,
        "Its encoder is trained together with the decoder. A GAN has none: the nearest code must be searched for, "
        "picture by picture.",
        "Take a VAE where you need codes, to compare, change or compress pictures, or a bound on their likelihood; "
        "its training rarely fails. Take a GAN where only the samples count: its discriminator asks for sharp "
        "pictures, but the training can go in circles or drop modes, and there is no likelihood. By the Fréchet "
        "distance, samples of vae-digits are at 31 × real, those of gan-digits-r3gan at 6.1 × real. The VAE loses "
        "most where N(0, I) puts codes but the data do not: with codes from a mixture fitted to those of the training "
        "digits, it comes to 3.6.",
        (
            Experiment("The VAE: a digit, its code and its reconstruction", "vae?picture=Test+image&number=18"),
            Experiment("The VAE: a code from the prior", "vae?picture=From+the+prior&seed=1"),
            Experiment("The GAN: from one random code to another", "gan?view=samples&seed=0&to=1"),
            Experiment("The GAN: a search for the code", "compare?view=drawing&number=18"),
        ),
    ),
    "diffusion-or-gan": Question(
        "Why does diffusion make better pictures than GANs, and what does it cost?",
        "A GAN evaluates its network once for a digit, this diffusion model 20 times. What if it gets only 2 steps?",
        ("Nothing but noise", "Blurred and broken digits", "The same digits"),
        1,
        "In two steps the network cannot settle on one digit, so a blur of several is left.",
        "Diffusion divides one hard step into many easy ones, and each of these is plain regression: estimate the "
        "noise (ours estimates v, a mix of noise and picture). No adversary is involved, so the training is stable, "
        "and leaving out modes does not pay. The price is time: a GAN needs its network once for a picture, diffusion "
        "once for each step, or twice with guidance. A good GAN comes close: by the Fréchet distance, "
        "gan-digits-conditional comes to 1.62 × real, and ddpm-digits (DDIM, η = 1) to 1.53 in 20 steps and 1.15 in "
        "50.",
        (
            Experiment("Diffusion in 2 steps", "ddpm?steps=2&seed=8"),
            Experiment("Diffusion in 20 steps", "ddpm?steps=20&seed=8"),
            Experiment("Whole trainings of GANs", "gan?view=losses"),
        ),
    ),
    "reparameterization": Question(
        "What does the reparameterization trick do?",
        "A gradient is estimated from the same random z, with the trick and without. Which estimates spread more?",
        ("With the trick", "Without it", "Both alike"),
        1,
        "Both are right on average, at the line, but the lower histogram is much wider.",
        "A VAE is trained on a mean over random codes z, and needs to know how that changes with μ and σ. The trick "
        "writes z = μ + σ ε: now the randomness is outside, and the slope of the loss reaches μ and σ through z. "
        "Without it each sample is weighted by its value (the score-function estimator, REINFORCE), which is right on "
        "average, but so noisy that it takes many more samples. That estimator needs no slope, so it works for a "
        "discrete z as well.",
        (
            Experiment("One sample per estimate", "vae?view=gradients&picture=Test+image&number=18&samples=1"),
            Experiment(
                "A narrower z, as encoders have it", "vae?view=gradients&picture=Test+image&number=18&sigma=0.2"
            ),
            Experiment("Twenty samples", "vae?view=gradients&picture=Test+image&number=18&samples=20"),
        ),
    ),
    "guidance": Question(
        "What is classifier-free guidance, and what does too much of it do?",
        "The diffusion model is asked for sevens with w = 0. What comes out?",
        ("Nothing but noise", "Pale sevens", "Any digits, as if nobody had asked for sevens"),
        2,
        "At w = 0 only the prediction without the class is left.",
        "The network learned to denoise with the class and, since that was left out now and then, without it. "
        "Guidance starts at the prediction without the class and goes w times the way to the one with it: 0 ignores "
        "the class, 1 is the model as it was trained, and more exaggerates what makes a seven a seven. From w = 1 to "
        "1.5 the share of digits that a classifier reads as asked rises from 98.9% to 99.9%, while their variety, the "
        "recall, falls from 0.946 to 0.882. With far too much all sevens look alike, and their strokes get heavy. "
        "Except at w = 0 and 1 it costs a second evaluation at every step.",
        (
            Experiment("Sevens with w = 0", "ddpm?label=7&w=0"),
            Experiment("Sevens with w = 1", "ddpm?label=7&w=1"),
            Experiment("Sevens with w = 8", "ddpm?label=7&w=8"),
        ),
    ),
    "latent": Question(
        "Why is latent diffusion cheaper?",
        "A latent has 16 x 16 places, its picture 64 x 64. How many times as many operations does one step of the same "
        "U-Net need on pixels?",
        ("About 4 times", "16 times or more", "Just as many, but more memory"),
        1,
        "The experiment below counts and times a step of each on the machine that serves this page.",
        "A convolution does the same work at every place, and the picture has sixteen times as many as its latent. "
        "Attention, where every place looks at every other, grows with the square of that. The autoencoder keeps what "
        "matters to the eye, and its decoder runs only once, at the end. The price is its limit: what it cannot draw, "
        "diffusion in its latents cannot either, and held-out scenes come back with a PSNR of 32.0 dB.",
        (
            Experiment("Measure both", "latent_diffusion?view=latent_vs_pixel"),
            Experiment("What the autoencoder loses", "latent_diffusion?view=latent_space"),
        ),
    ),
    "mode-collapse": Question(
        "What is mode collapse, what causes it, and what cures it?",
        "In the lab the discriminator learns a hundred times as slowly as the generator. Where do the generator's "
        "points go?",
        ("To all eight modes, only later", "To one place, which moves from mode to mode", "All over the plane"),
        1,
        "They gather where the discriminator believes them most, and move on when it has learned better.",
        "A generator has collapsed when it draws one or a few kinds of pictures whatever its noise: its loss asks that "
        "each picture passes, not that they differ. If the discriminator is slow, the best reply is to put everything "
        "where it is fooled most. Four remedies: keep the discriminator flat at real and fake points (R1 and R2), "
        "compare each real point with a fake one as well (relativistic, with R1 and R2), measure a distance that has a "
        "slope everywhere (Wasserstein with a gradient penalty), or show it whole batches (minibatch discrimination). "
        "Of eight modes the collapsed training covers 0.8 on average over ten seeds, the four remedies, in that order, "
        "8.0, 8.0, 7.9 and 8.0.",
        (
            Experiment("Cause it", "gan?view=lab&loss=nonsaturating&r1=0&r2=0&lr_d=5e-05&momentum=0.9&ema_decay=0"),
            Experiment("R1 and R2", "gan?view=lab&loss=nonsaturating&r1=0.02&r2=0.02"),
            Experiment("Relativistic", "gan?view=lab&loss=relativistic&r1=0.02&r2=0.02"),
            Experiment("Wasserstein with a gradient penalty", "gan?view=lab&loss=wasserstein&gp=0.1&r1=0&r2=0"),
            Experiment("Minibatch discrimination", "gan?view=lab&loss=nonsaturating&r1=0&r2=0&kernels=8&batch=128"),
        ),
    ),
    "discriminator-wins": Question(
        "What happens when the discriminator wins?",
        "The discriminator takes ten large steps for each small one of the generator, and soon knows every fake. With "
        "the minimax loss, what does the generator do?",
        ("It learns faster from the better judge", "It stays where it is", "It collapses to one mode"),
        1,
        "In 600 steps its points move by 0.02 on average, with the other loss by 2.1 (means over ten seeds).",
        "The minimax loss of the generator is log(1 − D(G(z))), which is flat where D is sure of a fake: no slope, no "
        "learning. The non-saturating loss, −log D(G(z)), has the same aim and is steep just there, so the points set "
        "out for the data. It helps as well to hold D back, by fewer or smaller steps, or by penalties on its slope. "
        "A discriminator that is too weak is no better: it cannot tell the generator what is missing.",
        (
            Experiment("Minimax", f"gan?view=lab&loss=minimax&{_D_WINS}"),
            Experiment("Non-saturating", f"gan?view=lab&loss=nonsaturating&{_D_WINS}"),
            Experiment("Slopes in whole trainings", "gan?view=losses&losses=minimax,nonsaturating&below=saturation"),
        ),
    ),
    "elbo": Question(
        "What do the ELBO's two terms do?",
        "A VAE is trained with ten times the price on its code (β = 10). What becomes of its reconstructions?",
        ("They get sharper", "They get blurred", "Nothing: the decoder makes up for it"),
        1,
        "Where the code is expensive it says little, and the decoder draws the mean of what is still possible.",
        "The first term, E log p(x given z), asks that a code brings its picture back; alone it would make an "
        "autoencoder, whose codes may lie anywhere. The second, −KL(q ‖ p), asks that codes look like those of the "
        "prior; alone it would make codes that say nothing. Their sum is a lower bound on log p(x). A weight β on the "
        "second trades one for the other: at β = 1 the rate is 23.8 nats and the distortion 68.1, at β = 10 they are "
        "4.1 and 136.3, and 6 of 20 dimensions are in use.",
        (
            Experiment("One digit under four β", "vae?view=beta&picture=Test+image&number=18"),
            Experiment("Its two terms in nats", "vae?view=elbo&picture=Test+image&number=18"),
        ),
    ),
    "score": Question(
        "Why is the score the predicted noise?",
        "The diffusion model only learned to take noise away. Can Langevin dynamics, which follows the score, sample "
        "from it?",
        ("No, that takes another network", "Yes, with −ε̂ / σ as the score", "Yes, but it makes only one digit"),
        1,
        "The experiment below draws digits with the very network of the tab Diffusion.",
        "A noisy picture is x = x0 + σ ε, so noisy data are a mixture of Gaussians around the clean pictures. The "
        "gradient of one Gaussian's log density is −(x − x0) / σ², which is −ε / σ. That of the mixture is the mean of "
        "this over the clean pictures that may lie behind x, each weighted by its probability (Tweedie's formula). A "
        "network trained with squared error estimates the mean of ε, so −ε̂ / σ is the score: it points to where data "
        "are denser.",
        (
            Experiment("Digits by Langevin dynamics", "score_matching?view=digits&sampler=annealed"),
            Experiment("Learn a score in the plane", "score_matching?view=lab"),
        ),
    ),
    "likelihood": Question(
        "What does an exact likelihood need?",
        "A flow takes a picture through its layers to noise z, and back through the same ones. What comes back?",
        ("The same picture", "A similar picture", "Another picture of the same class"),
        0,
        "Every layer is undone exactly, up to rounding.",
        "It needs the density of a point: a VAE would have to integrate over all codes, and a GAN has none. If a "
        "network can be undone, every point x has one z, and its density is that of z times |det dz/dx|: how much the "
        "layers stretch space on the way from x to z. So each layer must be invertible, with a determinant that is "
        "cheap, and that is what couplings are made for. A diffusion model has a likelihood too, along its probability "
        "flow, for the price of solving an ODE. And likely is not real: see how likely a blank page is.",
        (
            Experiment(
                "A digit to noise and back", "normalizing_flow?view=digits&show=picture&picture=Test+image&number=18"
            ),
            Experiment("Learn a density in the plane", "normalizing_flow?view=lab"),
            Experiment("Is likely real?", "compare?view=likelihoods"),
        ),
    ),
    "noise": Question(
        "Does a sampler need fresh noise at every step?",
        "The same noise to begin with, the same classes; now each step adds fresh noise (η = 1). What happens?",
        ("The digits drown in noise", "Other digits of the same classes come out", "The same digits come out"),
        1,
        "The noise added on the way matters too, so the first noise alone no longer decides the picture.",
        "No. DDIM with η = 0 adds none: all randomness is in the first noise, and the run can be repeated or undone. "
        "At η = 1 it adds as much as DDPM. Each step first takes away a little more noise than it has to, so nothing "
        "drowns. Fresh noise repairs mistakes on the way: in 20 steps a classifier reads 98.3% as asked without it, "
        "and 98.9% with η = 1.",
        (Experiment("η = 0", "ddpm?eta=0&seed=8"), Experiment("η = 1", "ddpm?eta=1&seed=8")),
    ),
}


def to_html(names: set[str]) -> str:
    """Return the questions as HTML; experiments of tabs that are not among `names` are left out."""
    items = "".join(_render(name, question, names) for name, question in QUESTIONS.items())
    return f'<section id="questions"><h2>Questions</h2><p>Guess first, then see.</p>{items}</section>'


def _render(name: str, question: Question, names: set[str]) -> str:
    choices = "".join(
        f'<button type="button"{" data-right" * (k == question.answer_index)}>{escape(choice)}</button>'
        for k, choice in enumerate(question.choices)
    )
    links = "".join(
        f'<a href="{escape(experiment.address)}">{escape(experiment.text)}</a>'
        for experiment in question.experiments
        if experiment.address.partition("?")[0] in names
    )
    return (
        f'<details class="question" id="question-{name}"><summary>{escape(question.title)}</summary>'
        f'<p>{escape(question.guess)}</p><div class="choices" role="group" aria-label="Your guess">{choices}</div>'
        f'<div role="status"><div class="answer" hidden>'
        f"<p><b>{escape(question.choices[question.answer_index])}.</b> {escape(question.observation)}</p>"
        f"<p>{glossary.mark(escape(question.answer))}</p>"
        f'<p class="experiments">See it: {links}</p></div></div></details>'
    )


def as_markdown() -> str:
    """Return the questions as a page of the documentation."""
    parts = [
        "# Questions\n\nWhat people are asked about generative models. On the start page each asks for a guess first "
        "and leads to its experiments; `/?question=guidance` opens one."
    ]
    for name, question in QUESTIONS.items():
        guess = f"*{question.guess}* {' · '.join(question.choices)}"
        observation = f"**{question.choices[question.answer_index]}.** {question.observation}"
        links = "\n".join(f"- {experiment.text}: `/{experiment.address}`" for experiment in question.experiments)
        parts += [f"## {question.title}\n\n`/?question={name}`", guess, observation, question.answer, links]
    return "\n\n".join(parts) + "\n"
