"""What may be typed after `bwcdock web`: the pages themselves, a code for somebody, the certificate to trust."""

from bwcdock.cli.commands import Commands, command


def web(commands: Commands) -> None:
    """The command web with its own commands."""
    made = command(
        commands,
        "web",
        "the pages: slot wall, desk, API",
        "Serve the pages of the settings' [web] until told to stop, beside the daemon or without it: then they show "
        "what there is, and nothing can be done. While nobody can sign in, a code for the first person is printed.",
        "web.run",
    )
    inner = made.add_subparsers(metavar="COMMAND", title="commands")
    code = command(
        inner,
        "code",
        "print a code with which a person chooses a new password",
        "Print a code for once, good for a day, with which this person chooses a new password on the pages; his code "
        "generator and his sessions end when he uses it. That it was made stands in the ledger. For the station's own "
        "user, or root: whoever is both sees everything anyway.",
        "web.code",
        "Example: sudo bwcdock web code 0117",
    )
    code.add_argument("person", metavar="PERSON", help="his id in the register: the badge number")
    command(
        inner,
        "certificate",
        "print the certificate that browsers are told to trust",
        "Print the certificate of the station's own authority, made where there is none yet, and its SHA-256 "
        "fingerprint, to be compared when it is installed in a browser.",
        "web.certificate",
        "Example: bwcdock web certificate > station-ca.crt",
    )
