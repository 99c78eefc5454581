"""The tab of normalizing flows."""

from playground.tabs import tab_of_views
from playground.tabs.normalizing_flow import digits, lab

SUMMARY = (
    "A flow is a network that can be run backwards: layer by layer it turns data into noise, and noise into data, "
    "and it knows the likelihood of every point exactly."
)
HINT = "**Press Play** to train one, then move through its layers; or see *Digits* come out of noise, and go back."
TAB = tab_of_views("Flow", 60, SUMMARY, HINT, {"lab": lab.FlowLabView, "digits": digits.DigitsView})
