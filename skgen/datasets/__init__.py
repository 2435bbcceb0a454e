"""Small real data for examples and tests; SOURCES.md has their sources and licences."""

from ._loaders import (
    load_airquality,
    load_apple,
    load_cdnow,
    load_cement,
    load_earthquakes,
    load_faithful,
    load_fed_funds,
    load_galaxies,
    load_japanese_vowels,
    load_kjv,
    load_penguins,
    load_sunspots,
)

__all__ = [
    "load_airquality",
    "load_apple",
    "load_cdnow",
    "load_cement",
    "load_earthquakes",
    "load_faithful",
    "load_fed_funds",
    "load_galaxies",
    "load_japanese_vowels",
    "load_kjv",
    "load_penguins",
    "load_sunspots",
]
