"""Components and wiring that the tabs share."""
