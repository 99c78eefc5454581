"""Files of a run, with the settings that reproduce it inside them."""
