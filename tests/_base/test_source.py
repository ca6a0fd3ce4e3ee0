"""What points at the user's own line."""

from __future__ import annotations

import pytest

from bayesdl._base.source import user_source, warn_user


def test_the_users_line_is_that_of_the_caller() -> None:
    here = user_source()
    assert here is not None
    assert here.text == "here = user_source()"


def test_warnings_are_at_the_users_line() -> None:
    with pytest.warns(UserWarning, match="so it is") as said:
        warn_user("so it is", UserWarning)
    assert said[0].filename == __file__
