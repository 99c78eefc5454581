"""Colours by meaning, in every tab and plot: the Okabe-Ito palette, which colour-blind people can tell apart."""

DATA = "#0072B2"
NOISE = "#D55E00"
ESTIMATE = "#009E73"
COMPARISON = "#CC79A7"
REAL, FAKE = DATA, NOISE  # of adversarial networks
# Ten classes, bright enough for black: seven of Tol's schemes, a blue, a grey and a pink, apart in hue or in lightness.
CLASSES = ["#88CCEE", "#DDCC77", "#CC6677", "#44AA99", "#AA4499", "#999933", "#EE8866", "#4477EE", "#BBBBBB", "#FFAABB"]
# Nine lines on white or slate: Tol's vibrant scheme, with a purple, an olive and a brown.
LINES = ["#EE7733", "#0077BB", "#33BBEE", "#EE3377", "#CC3311", "#009988", "#AA4499", "#999933", "#997755"]
