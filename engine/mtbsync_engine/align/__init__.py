"""Lining two runs up: sequence search, refinement, GPS, and the fit of the time map."""
