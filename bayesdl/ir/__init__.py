"""The language: nouns, no rules. A Program is all that the compiler knows."""
