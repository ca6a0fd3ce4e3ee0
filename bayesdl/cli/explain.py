"""``bayesdl explain``: what there is to read on an error's code, or on a check of a verdict."""

from __future__ import annotations

import argparse
import re
from importlib.resources import files
from pathlib import Path

from bayesdl._base.errors import ArgumentError, did_you_mean

# A wheel carries these pages in the package; a checkout has them beside it.
HOMES = (files("bayesdl") / "docs", Path(__file__).resolve().parents[2] / "docs")
SECTION = re.compile(r"^## ", re.M)
# What a result's attributes call the checks, where that is not the heading.
CHECKS = {
    "rhatmax": "rhat",
    "ess": "effectivesamplesize",
    "essmin": "effectivesamplesize",
    "bfmi": "ebfmi",
    "bfmimin": "ebfmi",
    "nonfinite": "nonfinitedraws",
    "reachedmaxtreedepth": "treedepth",
    "reachedmaxsteps": "steps",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument(
        "topic", nargs="?", help="an error's code, such as S101, or a check, such as r-hat"
    )


def run(options: argparse.Namespace) -> int:
    """Print the section, or what there are."""
    found = topics()
    if options.topic is None:
        print("\n".join(section.splitlines()[0] for section in found.values()))
        return 0
    asked = _plain(options.topic)
    asked = CHECKS.get(asked, asked)
    if asked not in found:
        guess = did_you_mean(asked, found)
        raise ArgumentError(
            f"there is nothing on {options.topic!r}.",
            fix=f"did you mean {guess!r}?" if guess else "`bayesdl explain` lists what there is.",
            code="A110",
        )
    print(found[asked])
    return 0


def topics() -> dict[str, str]:
    """Sections of the pages on errors and on the verdict, by plain code or heading."""
    home = next(home for home in HOMES if home.is_dir())
    pages = [page for page in (home / "errors").iterdir() if page.name != "README.md"]
    pages = [*sorted(pages, key=lambda page: page.name), home / "guide" / "verdict.md"]
    sections = [
        section.strip()
        for page in pages
        for section in SECTION.split(page.read_text(encoding="utf-8"))[1:]
    ]
    return {_plain(section.splitlines()[0].partition(":")[0]): section for section in sections}


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
