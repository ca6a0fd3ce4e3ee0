"""``bayesdl bench uci``: regression on the official UCI splits, beside what was published."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl.criticism.table import Table
from bayesdl.infer.machine import usable_cores

from .report import chosen
from .uci_dropout import Protocol
from .uci_sets import SETS, Published, Row, count_splits, read_split

Record = dict[str, Any]
PROTOCOLS = ("2018", "averaged", "wide", "learned")
METHODS: dict[str, Callable[..., Any]] = {"mc_dropout": Protocol}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--data", required=True, help="folder with one .npz file a set")
    parser.add_argument("--sets", help="names joined by commas")
    parser.add_argument("--methods", help="names joined by commas")
    parser.add_argument("--splits", default=":", help="first:end, counted from 0; all by default")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="2018", help="of MC dropout")
    parser.add_argument("--epochs", type=int, help="instead of the protocol's own")
    parser.add_argument("--cores", type=int, help="splits at once; as many as there are cores")
    parser.add_argument("--json", help="file of one line a split; those in it are not run again")
    parser.add_argument("--plot", help="picture of our scores and the published ones")


def run(options: argparse.Namespace) -> int:
    """Run what the file does not hold yet, and print one table a set."""
    done = read(options.json)
    everything: list[Record] = []
    for name in chosen(options.sets, SETS):
        for method in chosen(options.methods, METHODS):
            everything += _splits(name, method, options, done)
        print(table(name, [r for r in everything if r["set"] == name]), end="\n\n", flush=True)
    if options.plot:
        plot(everything).savefig(options.plot, dpi=130)
        print(f"picture in {options.plot}")
    return 0


def read(file: str | None) -> list[Record]:
    """The records of a file of lines; none if there is no file."""
    if file is None or not Path(file).exists():
        return []
    return [json.loads(line) for line in Path(file).read_text().splitlines() if line]


def _splits(
    name: str, method: str, options: argparse.Namespace, done: Sequence[Record]
) -> list[Record]:
    """Records of the asked splits of one set by one method."""
    made = METHODS[method](name, options.protocol, options.epochs)
    about = {"set": name, "method": method, "protocol": options.protocol, "epochs": made.epochs}
    wanted = _range(options.splits, count_splits(options.data, name))
    found = [r for r in done if r["split"] in wanted and about.items() <= r.items()]
    left = [k for k in wanted if k not in {r["split"] for r in found}]
    if not left:
        return found
    made.prepare(read_split(options.data, name, left[0]))

    def one(k: int) -> Record:
        start = time.perf_counter()
        score = made.score(read_split(options.data, name, k), k)
        return {**about, "split": k, **vars(score), "seconds": time.perf_counter() - start}

    begin = time.perf_counter()
    with ThreadPoolExecutor(options.cores or usable_cores()) as pool:
        waiting = [pool.submit(one, k) for k in left]
        try:
            for future in as_completed(waiting):
                found.append(future.result())
                _keep(options.json, found[-1])
                _say(found, len(wanted), time.perf_counter() - begin)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def _range(text: str, count: int) -> range:
    first, colon, end = text.partition(":")
    if not colon or not all(part == "" or part.isdecimal() for part in (first, end)):
        raise ArgumentError(
            "--splits must be two numbers with a colon between them.",
            facts=[("given", text)],
            fix="for example --splits 0:5.",
            where=user_source(),
            code="A110",
        )
    return range(count)[int(first or 0) : int(end or count)]


def _keep(file: str | None, record: Record) -> None:
    if file is not None:
        with Path(file).open("a") as lines:
            lines.write(json.dumps(record) + "\n")


def _say(found: Sequence[Record], count: int, seconds: float) -> None:
    last = found[-1]
    rmse, ll = (mean_and_error([r[key] for r in found])[0] for key in ("rmse", "ll"))
    full = round(20 * len(found) / count)
    print(
        f"{'█' * full}{'░' * (20 - full)} {last['set']} {last['method']} {len(found)}/{count}"
        f"  rmse {rmse:.4g}  ll {ll:.4g}  {seconds:.0f} s",
        end="\n" if len(found) == count or not sys.stderr.isatty() else "\r",
        file=sys.stderr,
        flush=True,
    )


def mean_and_error(values: Iterable[float]) -> tuple[float, float]:
    """Mean over splits and its standard error, from the population sd as published.

    Examples
    --------
    >>> mean_and_error([1.0, 3.0, 1.0, 3.0])
    (2.0, 0.5)
    """
    x = np.asarray(list(values), float)
    return float(x.mean()), float(x.std() / np.sqrt(len(x)))


def table(name: str, records: Sequence[Record]) -> Table:
    """Our rows of one set and the published ones."""
    rows: list[list[Any]] = []
    for method, protocol in dict.fromkeys((r["method"], r["protocol"]) for r in records):
        mine = [r for r in records if (r["method"], r["protocol"]) == (method, protocol)]
        rmse, ll = (mean_and_error([r[key] for r in mine]) for key in ("rmse", "ll"))
        seconds = sum(r["seconds"] for r in mine)
        rows.append([f"bayesdl {method} {protocol}", len(mine), *rmse, *ll, seconds])
    for method, score in SETS[name].ll.items():
        rows.append([method, None, *SETS[name].rmse.get(method, (None, None)), *score, None])
    columns = ["method", "splits", "rmse", "± rmse", "ll", "± ll", "thread s"]
    return Table(columns, rows, name, "Mean over splits and its standard error, raw units.")


def plot(records: Sequence[Record]) -> Any:
    """Log likelihoods as differences from the published MC dropout, one panel of all sets."""
    pyplot = import_module("matplotlib.pyplot")
    names = list(dict.fromkeys(r["set"] for r in records))
    figure, ax = pyplot.subplots(figsize=(7, 1 + 0.5 * len(names)), layout="constrained")
    for at, name in enumerate(names):
        base = SETS[name].ll["mc_dropout"][0]
        ours = mean_and_error([r["ll"] for r in records if r["set"] == name])
        _point(ax, ours, base, at - 0.12, "o", "#00466e", "bayesdl" if at == 0 else None)
        for shift, (method, mark) in enumerate(_published(SETS[name]).items()):
            label = method if at == 0 else None
            _point(ax, mark, base, at + 0.12 * (shift + 1), "s", "#999999", label)
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel("test log likelihood, minus that of published MC dropout")
    ax.axvline(0.0, color="#333333", linewidth=0.8)
    ax.legend()
    return figure


def _published(of: Published) -> dict[str, Row]:
    return {"MC dropout, published": of.ll["mc_dropout"]}


def _point(
    ax: Any, score: Row, base: float, at: float, mark: str, colour: str, label: str | None
) -> None:
    ax.errorbar(score[0] - base, at, xerr=score[1], fmt=mark, color=colour, label=label)
