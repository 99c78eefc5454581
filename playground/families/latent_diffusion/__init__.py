"""Text to image by latent diffusion (Rombach 2022): model, loss, sampling and editing."""

from playground.families.latent_diffusion.editing import prompt_to_prompt, sdedit
from playground.families.latent_diffusion.model import Components, Config, Model, loss
from playground.families.latent_diffusion.prompts import read_prompt, read_prompts
from playground.families.latent_diffusion.sampling import GUIDANCE_SCHEDULES, Settings, decode_frame, sample, timesteps
from playground.runtime.family import Family

FAMILY = Family(
    "latent_diffusion", "Text to image by latent diffusion", Config, Model, Settings, sample, to_images=decode_frame,
    read_prompts=read_prompts, has_components=True, has_steps=True,
)  # fmt: skip
