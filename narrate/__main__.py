"""`python -m narrate` is the `narrate` command. Nothing but this is imported before an interrupt is met with grace."""

from typing import NoReturn

INTERRUPTED = 130  # exit code, as shells report it


def main() -> NoReturn:
    try:
        from narrate.cli.main import main as run

        run()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


if __name__ == "__main__":
    main()
