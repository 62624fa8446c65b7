"""How `bwcdock sinks` is asked for."""

from bwcdock.cli.commands import Commands, command, json_option


def sinks(commands: Commands) -> None:
    """`bwcdock sinks`."""
    sinks = commands.add_parser("sinks", aliases=["sink"], help="central storage", description="Central storage.")
    inner = sinks.add_subparsers(required=True, metavar="COMMAND", title="commands")
    command(
        inner,
        "init",
        "take new central storage of the settings into use",
        "Mark each central storage of the settings that this station does not know yet, and keep its identity in "
        "keys/; one that another station marked is shared. To be run after [[sink]] path was changed or added, with "
        "the storage mounted. Refuses a folder that holds other things, and another storage in place of one in which "
        "recordings are confirmed.",
        "sinks.take",
    )
    check = command(
        inner,
        "check",
        "try a central storage end to end",
        "Try a central storage of the settings with a small object, as the station uses it: write, write again, read "
        "back, refusal to overwrite, lock, list, and what its account may do beyond that. A line for each. The object "
        "stays there, under checks/. To be run as the station's user; a daemon may be at work meanwhile.",
        "sinks.check",
        "Exit status 1 where anything is not as it must be.",
    )
    check.add_argument("name", metavar="NAME", help="the name of the [[sink]]")
    json_option(check)
