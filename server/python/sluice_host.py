# Hosts a user's module for the processor of kind `python`: loads it, runs `predict` in threads or,
# where it is a coroutine, on one event loop, and speaks frames with the process that started it
# over descriptor 3. Needs nothing but Python itself. When the other side is gone it ends at once.

import asyncio
import concurrent.futures
import dataclasses
import importlib.util
import inspect
import json
import os
import platform
import select
import signal
import socket
import struct
import sys
import threading
import traceback
import urllib.parse

# A frame is two lengths, a head of JSON and a body.
LENGTHS = struct.Struct(">II")
# Pieces of a stream that may be on their way before the reader has taken one.
PIECES_MAX = 16


class Canceled(BaseException):
    """The caller has left: what the user's code does with that is its own affair."""


class Channel:
    """Frames in and out; writing is safe from every thread."""

    def __init__(self, descriptor):
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(True)
        self._lock = threading.Lock()
        self._input = self._socket.makefile("rb", buffering=1 << 16)

    def send(self, head, body=b""):
        text = json.dumps(head).encode()
        with self._lock:
            self._socket.sendall(LENGTHS.pack(len(text), len(body)) + text)
            if body:
                self._socket.sendall(body)

    def receive(self):
        """The next frame; None when the other side is gone."""
        lengths = self._input.read(LENGTHS.size)
        if len(lengths) < LENGTHS.size:
            return None
        head_size, body_size = LENGTHS.unpack(lengths)
        head = self._input.read(head_size)
        body = self._input.read(body_size)
        if len(head) < head_size or len(body) < body_size:
            return None
        return json.loads(head), body


class Response:
    """An answer of a status and content type of its own: `return context.response(...)`."""

    def __init__(self, body=b"", status=200, content_type=None):
        self.body = body
        self.status = status
        self.content_type = content_type


class Context:
    """What `load` and `predict` know besides their input."""

    def __init__(self, model, config, state=None, head=None):
        head = head or {}
        self.model = model
        self.config = config
        self.state = state
        self.method = head.get("method", "")
        self.path = head.get("path", "/")
        self.query = head.get("query", {})
        self.headers = head.get("headers", {})
        self.canceled = threading.Event()

    def response(self, body=b"", status=200, content_type=None):
        return Response(body, status, content_type)

    def report(self, **values):
        """Tells how far the call is: percent, stage, preview, log. What cannot be told is no
        failure of the model."""
        address = own_address(self.headers.get("sluice-report-url"))
        if address is not None:
            try:
                send(address, "POST", to_json(values), {"Content-Type": "application/json"})
            except OSError:
                pass

    def checkpoint(self):
        """What an earlier delivery of this request has left, as bytes; None: nothing."""
        address = own_address(self.headers.get("sluice-checkpoint-url"))
        try:
            return None if address is None else send(address, "GET")
        except OSError:
            return None

    def save_checkpoint(self, data):
        """Keeps text or bytes for the next delivery of this request; durable when it returns."""
        address = own_address(self.headers.get("sluice-report-url"))
        if address is not None:
            body = data.encode() if isinstance(data, str) else bytes(data)
            send(address + "/checkpoint", "PUT", body)


class Work:
    """One call under way."""

    def __init__(self, context):
        self.context = context
        self.room = threading.Semaphore(PIECES_MAX)
        self.future = None

    def cancel(self):
        self.context.canceled.set()
        # Whoever waits for room looks again.
        self.room.release()
        if self.future is not None:
            self.future.cancel()


class Host:
    def __init__(self, channel, start):
        self.channel = channel
        self.start = start
        self.pool = concurrent.futures.ThreadPoolExecutor(max_workers=start["window"])
        self.works = {}
        self.lock = threading.Lock()
        self.loop = None
        self.module = None
        self.state = None

    def load(self):
        """Loads the module; answers False when it cannot be used."""
        file, root = self.start["file"], self.start["root"]
        for folder in (root, os.path.dirname(file)):
            if folder not in sys.path:
                sys.path.insert(0, folder)
        try:
            spec = importlib.util.spec_from_file_location("sluice_model", file)
            if spec is None or spec.loader is None:
                raise ImportError("%s is no Python file" % file)
            self.module = importlib.util.module_from_spec(spec)
            sys.modules["sluice_model"] = self.module
            spec.loader.exec_module(self.module)
            if not callable(getattr(self.module, "predict", None)):
                raise ImportError("%s has no function predict" % file)
        except Exception as error:
            traceback.print_exc()
            # A module that is missing here, or no Python, will be so at the next start too.
            final = isinstance(error, (ImportError, SyntaxError))
            self.failed("%s cannot be loaded: %s" % (file, line_of(error)), final)
            return False
        try:
            load = getattr(self.module, "load", None)
            if load is not None:
                context = Context(self.start["model"], self.start["config"])
                self.state = self.settled(load(context))
        except Exception as error:
            traceback.print_exc()
            self.failed("load failed: %s" % line_of(error), False)
            return False
        schema = getattr(self.module, "schema", None)
        about = inspect.getdoc(self.module)
        version = platform.python_version()
        self.channel.send({"type": "ready", "schema": schema, "about": about, "python": version})
        return True

    def failed(self, message, final):
        self.channel.send({"type": "failed", "message": message, "final": final})

    def settled(self, value):
        """The result of what may be a coroutine."""
        if not inspect.isawaitable(value):
            return value
        return asyncio.run_coroutine_threadsafe(wait_for(value), self.running_loop()).result()

    def running_loop(self):
        with self.lock:
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
                threading.Thread(target=self.loop.run_forever, daemon=True).start()
            return self.loop

    def serve(self):
        while True:
            frame = self.channel.receive()
            if frame is None:
                os._exit(0)
            head, body = frame
            if head["type"] == "close":
                # Beside this loop: calls that run still need it, and so does the end of the channel.
                threading.Thread(target=self.close, daemon=True).start()
                continue
            if head["type"] == "call":
                self.begin(head, body)
                continue
            work = self.works.get(head["id"])
            if work is None:
                continue
            if head["type"] == "more":
                work.room.release()
            elif head["type"] == "cancel":
                work.cancel()

    def begin(self, head, body):
        work = Work(Context(self.start["model"], self.start["config"], self.state, head))
        self.works[head["id"]] = work
        predict = self.module.predict
        if inspect.iscoroutinefunction(predict) or inspect.isasyncgenfunction(predict):
            run = self.run_async(head, body, work)
            work.future = asyncio.run_coroutine_threadsafe(run, self.running_loop())
        else:
            self.pool.submit(self.run, head, body, work)

    def run(self, head, body, work):
        try:
            if work.context.canceled.is_set():
                raise Canceled()
            value = self.settled(self.module.predict(input_of(head, body), work.context))
            if hasattr(value, "__anext__"):
                run = self.stream_async(head["id"], value, work)
                asyncio.run_coroutine_threadsafe(run, self.running_loop()).result()
            elif inspect.isgenerator(value) or is_iterator(value):
                self.stream(head["id"], value, work)
            else:
                self.answer(head["id"], value)
        except BaseException as error:
            self.fail(head["id"], error)
        finally:
            self.works.pop(head["id"], None)

    async def run_async(self, head, body, work):
        try:
            value = self.module.predict(input_of(head, body), work.context)
            if inspect.isawaitable(value):
                value = await value
            if hasattr(value, "__anext__"):
                await self.stream_async(head["id"], value, work)
            else:
                self.answer(head["id"], value)
        except BaseException as error:
            self.fail(head["id"], error)
        finally:
            self.works.pop(head["id"], None)

    def answer(self, number, value):
        status, content_type, body = encoded_answer(value)
        head = {"type": "answer", "id": number, "status": status, "contentType": content_type}
        self.channel.send(head, body)

    def stream(self, number, values, work):
        try:
            for value in values:
                work.room.acquire()
                if work.context.canceled.is_set():
                    raise Canceled()
                self.piece(number, value)
        finally:
            close = getattr(values, "close", None)
            if close is not None:
                close()
        self.channel.send({"type": "end", "id": number})

    async def stream_async(self, number, values, work):
        loop = asyncio.get_running_loop()
        try:
            async for value in values:
                if not work.room.acquire(blocking=False):
                    await loop.run_in_executor(None, work.room.acquire)
                if work.context.canceled.is_set():
                    raise Canceled()
                self.piece(number, value)
        finally:
            close = getattr(values, "aclose", None)
            if close is not None:
                await close()
        self.channel.send({"type": "end", "id": number})

    def piece(self, number, value):
        content_type, body = encoded_piece(value)
        self.channel.send({"type": "piece", "id": number, "contentType": content_type}, body)

    def fail(self, number, error):
        if isinstance(error, (Canceled, asyncio.CancelledError)):
            self.channel.send({"type": "canceled", "id": number})
            return
        head = {"type": "error", "id": number, "message": line_of(error)}
        status = getattr(error, "status", None)
        if isinstance(status, int) and 400 <= status <= 599:
            field, row = getattr(error, "field", None), getattr(error, "row", None)
            head.update(status=status, message=str(error))
            head.update(field=field if isinstance(field, str) else None)
            head.update(row=row if isinstance(row, int) else None)
        else:
            traceback.print_exception(type(error), error, error.__traceback__)
        self.channel.send(head)

    def close(self):
        """Ends the process when the calls that run have ended."""
        code = 0
        try:
            self.pool.shutdown(wait=True)
            close = getattr(self.module, "close", None)
            if close is not None:
                self.settled(close(self.state))
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        os._exit(code)


def own_address(address):
    """Sluice listens for reports on the machine of its models; nobody else can name an address."""
    if address is None:
        return None
    url = urllib.parse.urlsplit(address)
    own = url.scheme == "http" and url.hostname in ("127.0.0.1", "::1", "localhost")
    return address if own else None


def send(address, method, body=None, headers=None):
    # Most modules report nothing, and it takes long to load.
    import urllib.request

    request = urllib.request.Request(address, data=body, headers=headers or {}, method=method)
    # No proxy stands between a machine and itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as response:
        return response.read()


async def wait_for(value):
    return await value


def is_iterator(value):
    """Iterators are streams; lists, dicts and strings are values."""
    return hasattr(value, "__next__")


def input_of(head, body):
    if head["kind"] == "json":
        return json.loads(body) if body else None
    return body.decode() if head["kind"] == "text" else body


def encoded_answer(value):
    """Status, content type and body."""
    if isinstance(value, Response):
        _, content_type, body = encoded_answer(value.body)
        return value.status, value.content_type or content_type, body
    if value is None:
        return 204, "application/octet-stream", b""
    if isinstance(value, str):
        return 200, "text/plain; charset=utf-8", value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return 200, "application/octet-stream", bytes(value)
    return 200, "application/json", to_json(value)


def encoded_piece(value):
    if isinstance(value, str):
        return "text/plain; charset=utf-8", value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "application/octet-stream", bytes(value)
    return "application/x-ndjson", to_json(value) + b"\n"


def to_json(value):
    return json.dumps(value, default=plain, allow_nan=False, ensure_ascii=False).encode()


def plain(value):
    """What JSON does not know: data classes, sets, and arrays and numbers of numpy and the like."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    for name in ("tolist", "item", "model_dump", "isoformat"):
        method = getattr(value, name, None)
        if callable(method):
            return method()
    if isinstance(value, (set, frozenset)):
        return list(value)
    raise TypeError("predict returned a %s, which is no JSON" % type(value).__name__)


def line_of(error):
    text = str(error).split("\n")[0]
    name = type(error).__name__
    return "%s: %s" % (name, text) if text else name


def end_with_parent():
    """Ends this process with the one that started it, even while a model is being loaded."""
    poller = select.poll()
    # No event but the end, which is always told.
    poller.register(3, 0)
    poller.poll()
    os._exit(0)


def main():
    # Whoever started this decides when it ends, and tells it over the channel.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.set_inheritable(3, False)
    channel = Channel(3)
    threading.Thread(target=end_with_parent, daemon=True).start()
    frame = channel.receive()
    if frame is None:
        return
    host = Host(channel, frame[0])
    if not host.load():
        os._exit(1)
    host.serve()


main()
