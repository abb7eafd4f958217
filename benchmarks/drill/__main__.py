"""``python -m benchmarks.drill``: checks that this machine can, and enters namespaces of the drill's own.

In them the drill is process 1: when it ends, however it ends, the kernel ends every process of it and takes
its network away.
"""

from __future__ import annotations

import os
import shutil
import sys

from benchmarks.drill.bouncer import BouncerMissing, install_bouncer
from benchmarks.drill.options import read_options
from benchmarks.processes import ROOT

_TOOLS = ("ip", "unshare", "setpriv", "mount", "hostname")
_ENTER = 'mkdir -p /run/netns && mount -t tmpfs none /run/netns && exec "$@"'


def main() -> None:
    options = read_options()
    if os.geteuid() != 0:
        sys.exit(
            "The drill builds hosts out of network namespaces, which takes root. Run it as root on a machine"
            " that you may: a virtual machine or a privileged container."
        )
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        sys.exit(f"The drill needs {', '.join(missing)}: apt-get install iproute2 util-linux mount hostname")
    if options.has_bouncer:
        try:
            install_bouncer()
        except BouncerMissing as problem:
            sys.exit(str(problem))
    namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    drill = [sys.executable, "-m", "benchmarks.drill.play", *sys.argv[1:]]
    os.chdir(ROOT)
    os.execvp("unshare", ["unshare", *namespaces, "sh", "-c", _ENTER, "drill", *drill])  # noqa: S606, S607


if __name__ == "__main__":
    main()
