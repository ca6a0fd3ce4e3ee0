"""Parse what a Program prints, so that a bug report is a Program as text."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .primitive import PRIMITIVES
from .program import Atom, Equation, Literal, Program, Var, to_text
from .types import NAMES, ArrayType, parse_type

__all__ = ["from_text", "to_text"]


def from_text(text: str) -> Program:
    """Parse what `to_text` printed.

    Raises
    ------
    ValueError
        Where the text leaves the grammar, with the text that was left.
    """
    parser = _Parser(text)
    program = parser.program()
    parser.end()
    return program


_TOKEN = r"""\s*(?:
      (?P<type>(?:f64|f32|i64|i32|u64|u32|bool)\[[0-9,]*\])
    | (?P<var>%[a-z]+)
    | (?P<number>[-+]?(?:inf|nan|\d[\d.]*(?:e[-+]?\d+)?))(?![A-Za-z_])
    | (?P<string>"[^"]*")
    | (?P<word>[A-Za-z_][A-Za-z_0-9.]*)
    | (?P<mark>[(){}:=,<>])
    )"""


class _Parser:
    """Recursive descent over the tokens of a Program."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        # Compiled here, because the pattern costs every import 5 ms and parsing is rare.
        position, token = 0, re.compile(_TOKEN, re.VERBOSE)
        text = text.rstrip()
        while position < len(text):
            match = token.match(text, position)
            if match is None:
                raise ValueError(f"not a Program from here on: {text[position : position + 60]!r}")
            kind = match.lastgroup or ""
            self.tokens.append((kind, match.group(kind)))
            position = match.end()
        self.at = 0

    def peek(self, ahead: int = 0) -> tuple[str, str]:
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else ("end", "")

    def take(self, expected: str | None = None) -> str:
        _, text = self.peek()
        if expected is not None and text != expected:
            raise ValueError(f"expected {expected!r}, found {text!r} (token {self.at})")
        self.at += 1
        return text

    def end(self) -> None:
        if self.peek()[0] != "end":
            raise ValueError(f"text goes on after the Program: {self.peek()[1]!r}")

    def program(self) -> Program:
        self.take("program")
        name = self.take()
        scope: dict[str, Var] = {}
        self.take("(")
        inputs = self.definitions(scope)
        self.take(")")
        self.take(":")
        equations = []
        while self.peek()[1] not in ("return", ""):
            equations.append(self.equation(scope))
        self.take("return")
        outputs = self.atoms(scope)
        return Program(name, tuple(inputs), tuple(equations), tuple(outputs))

    def definitions(self, scope: dict[str, Var]) -> list[Var]:
        found = []
        while self.peek()[0] == "var":
            name = self.take()
            self.take(":")
            scope[name] = Var(parse_type(self.take()))
            found.append(scope[name])
            if self.peek()[1] == ",":
                self.take()
        return found

    def equation(self, scope: dict[str, Var]) -> Equation:
        inner: dict[str, Var] = {}
        outputs = self.definitions(inner)
        self.take("=")
        primitive = PRIMITIVES[self.take()]
        inputs = self.atoms(scope)
        params = {}
        while self.peek()[0] == "word" and self.peek(1)[1] == "=":
            key = self.take()
            self.take("=")
            params[key] = self.param()
        scope.update(inner)
        return Equation(primitive, tuple(inputs), params, tuple(outputs))

    def atoms(self, scope: dict[str, Var]) -> list[Atom]:
        found: list[Atom] = []
        while True:
            kind, text = self.peek()
            if kind == "var" and self.peek(1)[1] != ":":
                found.append(self.known(scope))
            elif (kind == "number" or text in ("true", "false")) and self.peek(1)[1] == ":":
                self.take()
                self.take(":")
                dtype = NAMES[self.take()]
                found.append(Literal(_value(text, dtype), ArrayType((), dtype)))
            else:
                return found

    def known(self, scope: dict[str, Var]) -> Var:
        name = self.take()
        if name not in scope:
            raise ValueError(f"{name} is used before it is defined (token {self.at - 1})")
        return scope[name]

    def param(self) -> Any:
        kind, text = self.peek()
        if text == "{":
            self.take()
            program = self.program()
            self.take("}")
            return program
        if text == "(":
            return self.items()
        if text == "<":
            return self.array()
        self.take()
        if kind == "number":
            return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
        if kind == "string":
            return text[1:-1]
        if text not in _WORDS and text not in NAMES:
            raise ValueError(f"{text!r} is not a parameter (token {self.at - 1})")
        return _WORDS[text] if text in _WORDS else NAMES[text]

    def items(self) -> tuple[Any, ...]:
        self.take("(")
        found = []
        while self.peek()[1] != ")":
            found.append(self.param())
            if self.peek()[1] == ",":
                self.take()
        self.take(")")
        return tuple(found)

    def array(self) -> np.ndarray[Any, Any]:
        self.take("<")
        kind = parse_type(self.take())
        values = [_value(self.take(), kind.dtype) for _ in range(kind.size)]
        self.take(">")
        return np.array(values, dtype=kind.dtype).reshape(kind.shape)


_WORDS = {"true": True, "false": False, "none": None}


def _value(text: str, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "b":
        return np.bool_(text == "true")
    return dtype.type(int(text)) if dtype.kind in "iu" else dtype.type(text)
