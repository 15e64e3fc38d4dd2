"""A TCP port that leads to a Unix socket, for tools that know no such sockets: `forward.py SOCKET` prints it."""

import asyncio
import sys


async def pipe(source, sink):
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


async def serve(reader, writer):
    their_reader, their_writer = await asyncio.open_unix_connection(sys.argv[1])
    await asyncio.gather(pipe(reader, their_writer), pipe(their_reader, writer))


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
