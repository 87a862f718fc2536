"""A WebSocket conversation by Python's `websockets`: `serve` prints its port, `talk URL [CA]` prints what was said."""

import asyncio
import hashlib
import json
import ssl
import sys

import websockets

last_close = {"code": None, "reason": None}


async def answer(ws):
    try:
        async for message in ws:
            if message == "fragments":
                await ws.send(["one ", "two ", "three"])
            elif message == "last close":
                await ws.send(json.dumps(last_close))
            elif isinstance(message, str) and message.startswith("close "):
                _, code, reason = message.split(" ", 2)
                await ws.close(int(code), reason)
            else:
                await ws.send(message)
    except websockets.ConnectionClosed:
        pass
    last_close.update(code=ws.close_code, reason=ws.close_reason)


async def serve():
    async with websockets.serve(answer, "127.0.0.1", 0, subprotocols=["chat"], max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


def digest(message):
    kind = "text" if isinstance(message, str) else "binary"
    data = message.encode() if isinstance(message, str) else message
    return [kind, len(data), hashlib.sha256(data).hexdigest()]


async def talk(url, ca):
    context = ssl.create_default_context(cafile=ca) if ca else None
    said = []

    def connect():
        return websockets.connect(url, subprotocols=["other", "chat"], max_size=None, ssl=context, proxy=None)

    async with connect() as ws:
        said.append(["subprotocol", ws.subprotocol])
        said.append(["extensions", ws.response.headers.get("Sec-WebSocket-Extensions")])
        for message in ["hello", "", "päivää 🌍", b"\x00\xff", bytes(range(256)) * 4096, "x" * (1 << 20)]:
            await ws.send(message)
            said.append(["echo", digest(await ws.recv())])
        await ws.send(["frag", "ment", "ed"])
        said.append(["fragments sent", await ws.recv()])
        await ws.send([b"a" * 70000, b"", b"b" * 70000])
        said.append(["binary fragments sent", digest(await ws.recv())])
        await ws.send("fragments")
        said.append(["fragments received", [part async for part in ws.recv_streaming()]])
        await (await ws.ping(b"payload"))
        said.append(["pong"])
        for number in range(100):
            await ws.send(str(number))
        said.append(["in order", [await ws.recv() for _ in range(100)] == [str(n) for n in range(100)]])
        await ws.send("close 4321 enough said")
        try:
            await ws.recv()
        except websockets.ConnectionClosed as closed:
            said.append(["closed by the server", closed.rcvd.code, closed.rcvd.reason, closed.rcvd_then_sent])
    ws = await connect()
    await ws.close(4000, "bye")
    said.append(["closed by the client", ws.close_code, ws.close_reason])
    # The server notes a close when it has seen it.
    for _ in range(100):
        async with connect() as ws:
            await ws.send("last close")
            seen = json.loads(await ws.recv())
        if seen["code"] == 4000:
            break
        ws = await connect()
        await ws.close(4000, "bye")
        await asyncio.sleep(0.05)
    said.append(["as the server saw it", seen["code"], seen["reason"]])
    print(json.dumps(said))


if sys.argv[1] == "serve":
    asyncio.run(serve())
else:
    asyncio.run(talk(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))
