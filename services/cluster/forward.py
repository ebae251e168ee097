"""Forwards ports: `python -m services.cluster.forward LISTEN TO PORT...`, from LISTEN:PORT to TO:PORT."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys

_BYTES = 1024 * 1024


async def main(listen: str, to: str, ports: list[int]) -> None:
    """Runs until it is killed."""
    servers = [
        await asyncio.start_server(functools.partial(_serve, to, port), listen, port, limit=_BYTES) for port in ports
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


_SERVED: set[asyncio.Task[None]] = set()
"""What is at work: asyncio itself holds on to nobody."""


async def _serve(to: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    task = asyncio.current_task()
    if task is not None:
        _SERVED.add(task)
        task.add_done_callback(_SERVED.discard)
    try:
        far_reader, far_writer = await asyncio.open_connection(to, port, limit=_BYTES)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
            return
    writer.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], [int(port) for port in sys.argv[3:]]))
