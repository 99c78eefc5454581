"""The tab of normalizing flows."""

from playground.tabs import tab_of_views
from playground.tabs.normalizing_flow import digits, lab
from playground.web.header import GuideStep

SUMMARY = (
    "A flow is a network that can be run backwards: layer by layer it turns data into noise, and noise into data, "
    "and it knows the likelihood of every point exactly."
)
GUIDE = (
    GuideStep(
        "#flow-lab [data-do=play]",
        "Press Play: a flow learns to turn the data into a round cloud of noise, and to go back.",
    ),
    GuideStep(
        "#flow-lab .dial",
        "Move this slider through the layers, or let it play: each bends the plane a little, and none tears it.",
    ),
    GuideStep(
        "[data-tab-id=digits]", "Digits are next: any picture has its own noise, and comes back from it exactly."
    ),
)
TAB = tab_of_views("Flow", 60, SUMMARY, {"lab": lab.FlowLabView, "digits": digits.DigitsView}, GUIDE)
