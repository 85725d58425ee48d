"""`python -m gateway`: the command line for operators."""

from gateway.management.cli.root import cli

if __name__ == "__main__":
    cli(prog_name="python -m gateway")
