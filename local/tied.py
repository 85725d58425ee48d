"""Run a command that ends when the process that started it ends: `python -I -S local/tied.py PARENT SIGNAL COMMAND...`.

Linux can signal a process when its parent dies, however it dies (PR_SET_PDEATHSIG). Asking for that between fork and
exec would mean running Python code in a forked copy of a threaded process; this small program asks and becomes the
command instead. Systems without prctl start the command all the same.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent, death_signal, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal)
        # The parent may have died before the call above; then no signal will ever come.
        if os.getppid() != parent:
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - becoming the command is what this program is for


if __name__ == "__main__":
    main()
