"""What Beam starts as a worker: asks the server for one, and lasts as long as that does.

Run as a file, with nothing but the standard library: it must start at once.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Final

LENGTH_BYTES: Final = 8


def main(path: str) -> int:
    """Returns the worker's exit status."""
    environment = json.dumps(dict(os.environ)).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [len(environment).to_bytes(LENGTH_BYTES, "big")], [1, 2])
        connection.sendall(environment)
        status = connection.recv(1)
    return status[0] if status else 1  # it ended without a word: it was killed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
