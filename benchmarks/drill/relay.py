"""``python -m benchmarks.drill.relay ADDRESS PORT``: lets other hosts reach the local Stripe of this one."""

from __future__ import annotations

import asyncio
import contextlib
import sys

_CHUNK = 65_536


async def relay(address: str, port: int) -> None:
    """Pass every connection to ``address`` on to the same port of this machine."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stripes_reader, stripes_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pump(reader, stripes_writer), _pump(stripes_reader, writer))

    server = await asyncio.start_server(pass_on, address, port)
    async with server:
        await server.serve_forever()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # A host that is killed or cut off breaks its connections: that is what the drill does.
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(relay(sys.argv[1], int(sys.argv[2])))
