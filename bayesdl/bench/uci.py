"""``bayesdl bench uci``: regression on the official UCI splits, beside what was published."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError
from bayesdl.criticism.table import Table
from bayesdl.infer.machine import usable_cores

from .asked import chosen, require_least, require_picture, require_writable
from .uci_dropout import Protocol
from .uci_nuts import Sampled
from .uci_sets import SETS, count_splits, read_split
from .uci_vi import MeanField

Record = dict[str, Any]
PROTOCOLS = ("2018", "averaged", "wide", "learned")
# Published rows that the picture has.
SHOWN = ("mc_dropout", "pbp", "dvi")
METHODS: dict[str, Callable[[str, argparse.Namespace], Any]] = {
    "mc_dropout": lambda name, asked: Protocol(name, asked.protocol, asked.epochs),
    "vi": lambda name, asked: MeanField(name, False, asked.epochs),
    "vi_heteroscedastic": lambda name, asked: MeanField(name, True, asked.epochs),
    "nuts": lambda name, asked: Sampled(name),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--data", required=True, help="folder with one .npz file a set")
    parser.add_argument("--sets", help="names joined by commas")
    parser.add_argument("--methods", default="mc_dropout", help=f"of {', '.join(METHODS)}")
    parser.add_argument("--splits", default=":", help="first:end, counted from 0; all by default")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="2018", help="of MC dropout")
    parser.add_argument("--epochs", type=int, help="of training, instead of the protocol's own")
    parser.add_argument("--cores", type=int, help="splits at once; as many as there are cores")
    parser.add_argument("--json", help="file of one line a split; those in it are not run again")
    parser.add_argument("--plot", help="picture of our scores and the published ones")


def run(options: argparse.Namespace) -> int:
    """Run what the file does not hold yet, and print one table a set."""
    require_least(options, cores=1, epochs=1)
    require_writable(options, "json", "plot")
    require_picture(options.plot)
    sets, methods = chosen(options.sets, SETS, "set"), chosen(options.methods, METHODS, "method")
    done = read(options.json)
    everything: list[Record] = []
    for name in sets:
        for method in methods:
            with _without_verdicts():
                everything += _splits(name, method, options, done)
        print(table(name, [r for r in everything if r["set"] == name]), end="\n\n", flush=True)
    if options.plot:
        plot(everything).savefig(options.plot, dpi=130)
        print(f"picture in {options.plot}")
    return 0


@contextmanager
def _without_verdicts() -> Iterator[None]:
    """One for each split would bury the progress and the table."""
    log = logging.getLogger("bayesdl")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def read(file: str | None) -> list[Record]:
    """The records of a file of lines; none if there is no file.

    A process that is killed while it writes leaves half a line, without its end: that one is cut
    off, and its split is run again. All others must be whole.
    """
    if file is None or not Path(file).exists():
        return []
    whole, end, torn = Path(file).read_text().rpartition("\n")
    if torn:
        Path(file).write_text(whole + end)
    return [json.loads(line) for line in whole.splitlines() if line]


def _splits(
    name: str, method: str, options: argparse.Namespace, done: Sequence[Record]
) -> list[Record]:
    """Records of the asked splits of one set by one method."""
    made = METHODS[method](name, options)
    about = {"set": name, "method": method, "protocol": made.kind, "epochs": made.epochs}
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
            code="A122",
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
        rows.append([f"bayesdl {method} {protocol}".rstrip(), len(mine), *rmse, *ll, seconds])
    for method, score in SETS[name].ll.items():
        rows.append([method, None, *SETS[name].rmse.get(method, (None, None)), *score, None])
    columns = ["method", "splits", "rmse", "± rmse", "ll", "± ll", "thread s"]
    return Table(columns, rows, name, "Mean over splits and its standard error, raw units.")


def plot(records: Sequence[Record]) -> Any:
    """Log likelihoods as differences from the published MC dropout, one panel of all sets."""
    pyplot = import_module("matplotlib.pyplot")
    names = list(dict.fromkeys(r["set"] for r in records))
    ours = list(dict.fromkeys(r["method"] for r in records))
    styles = {f"bayesdl {m}": ("o", f"C{k}") for k, m in enumerate(ours)}
    styles |= {m: (mark, "#999999") for m, mark in zip(SHOWN, "svD", strict=True)}
    figure, ax = pyplot.subplots(figsize=(7, 1 + 0.8 * len(names)), layout="constrained")
    for k, (label, (mark, colour)) in enumerate(styles.items()):
        found = [_differences(name, label, records) for name in names]
        (x, error), at = np.transpose(found), np.arange(len(names)) + 0.1 * k - 0.3
        ax.errorbar(x, at, xerr=error, fmt=mark, color=colour, label=label, markersize=4)
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel("test log likelihood, minus that of published MC dropout")
    ax.axvline(0.0, color="#333333", linewidth=0.8)
    ax.legend()
    return figure


def _differences(name: str, label: str, records: Sequence[Record]) -> tuple[float, float]:
    """Log likelihood of a method on a set and its standard error; NaN where it has none."""
    published = SETS[name].ll
    asked = [r["ll"] for r in records if (r["set"], f"bayesdl {r['method']}") == (name, label)]
    mean, error = mean_and_error(asked) if asked else published.get(label, (np.nan, None))
    return mean - published["mc_dropout"][0], np.nan if error is None else error
