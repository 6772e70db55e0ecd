"""Results as pictures; matplotlib is met here only."""

import importlib.util
from pathlib import Path
from typing import Any

from tests.bench.claims import rows_of
from tests.bench.judging import ratio
from tests.bench.plan import workloads
from tests.bench.results import Run

BLUE, GREY, ORANGE = "#2f6db5", "#8a8f98", "#d9822b"


def draw(run: Run, out: Path) -> None:
    """Draw what there is: ratios.png and scale.png. Nothing without matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        return
    import matplotlib as mpl  # noqa: PLC0415  (an extra)

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    if run.results:
        _ratios(plt, run, out / "ratios.png")
    if run.scale:
        _scale(plt, run, out / "scale.png")


def _ratios(plt: Any, run: Run, file: Path) -> None:
    """Bars: how many times as long each peer takes, one panel for each latency."""
    latencies = run.latencies()
    rows = [w for w in workloads(rows_of(run)) if any(ratio(run, w.id, at) for at in latencies)]
    if not rows:
        return
    height = 1.2 + 0.34 * len(rows)
    figure, panels = plt.subplots(
        1, len(latencies), figsize=(4.2 * len(latencies) + 2, height), sharey=True, squeeze=False
    )
    for panel, latency in zip(panels[0], latencies, strict=True):
        for place, (other, colour) in enumerate((("s3fs", GREY), ("rclone", ORANGE))):
            for number, row in enumerate(rows):
                value = ratio(run, row.id, latency, others=(other,))
                if value and value.value > 0:
                    panel.barh(number + 0.38 * place - 0.19, value.value - 1, 0.36, left=1,
                               color=colour, hatch="//" if value.at_least else None,
                               edgecolor="white", label=other if number == 0 else None)  # fmt: skip
        panel.set_xscale("log")
        panel.axvline(1, color=BLUE, linewidth=1.5)
        panel.set_title(f"{latency * 1000:g} ms per request")
        panel.set_xlabel("times as long as tagfs")
        panel.grid(axis="x", alpha=0.3)
    panels[0][0].set_yticks(range(len(rows)), [row.title for row in rows], fontsize=8)
    panels[0][0].invert_yaxis()
    handles = [plt.Rectangle((0, 0), 1, 1, color=c) for c in (GREY, ORANGE)]
    figure.legend(handles, ["s3fs", "rclone"], loc="lower left", ncols=2, fontsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _scale(plt: Any, run: Run, file: Path) -> None:
    """Lines: seconds and MiB against the number of objects, both axes logarithmic."""
    names = [n for n in run.scale[0] if n not in ("shape", "objects", "LISTs of both")]
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.6))
    colours = {name: f"C{number}" for number, name in enumerate(names)}
    for shape, style in (("flat", "-"), ("deep", "--")):
        rows = sorted((r for r in run.scale if r["shape"] == shape), key=lambda r: r["objects"])
        for name in names:
            panel = panels[1] if "MiB" in name else panels[0]
            points = [(r["objects"], r[name]) for r in rows if isinstance(r.get(name), float)]
            if points:
                panel.plot(*zip(*points, strict=True), style, marker="o", color=colours[name],
                           label=f"{name}, {shape}")  # fmt: skip
    counts = sorted({r["objects"] for r in run.scale})
    low = min((r["ls, s"] for r in run.scale if isinstance(r.get("ls, s"), float)), default=1.0)
    panels[0].plot(counts, [low * n / counts[0] for n in counts], ":", color=GREY, label="linear")
    for panel, title in zip(panels, ("seconds", "resident MiB"), strict=True):
        panel.set_xscale("log")
        panel.set_yscale("log" if title == "seconds" else "linear")
        panel.set_xlabel("objects")
        panel.set_title(title)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    plt.close(figure)
