"""What may be typed for machines that watch a station."""

from pathlib import Path

from bwcdock.cli.commands import Commands, command, json_option


def metrics(commands: Commands) -> None:
    """`bwcdock metrics`."""
    made = command(
        commands,
        "metrics",
        "the station's figures in the text form of Prometheus",
        "Print every figure of the station in the text form of Prometheus, with what the daemon counts where it is at "
        "work; or write them for the textfile collector of node_exporter. The pages serve the same at /metrics. "
        "Works beside the daemon and without it.",
        "figures.metrics",
        "Example: bwcdock metrics --textfile /var/lib/node_exporter/bwcdock.prom",
    )
    made.add_argument("--textfile", type=Path, metavar="FILE", help="write this file, whole or not at all")


def health(commands: Commands) -> None:
    """`bwcdock health`."""
    made = command(
        commands,
        "health",
        "whether the station does its work",
        "Look whether the ledger opens, the daemon is at work and lately said so, its clock is vouched for, the spool "
        "has room, and central storage is not known to be away; a line each. Works beside the daemon and without it.",
        "figures.health",
        "Exit status: 0 all is well; 1 something is not.",
    )
    json_option(made)
