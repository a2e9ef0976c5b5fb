"""Reads text out of pictures: POST one, get its text. GET answers when the server is up.

It knows nothing of queues. PORT and HOST are what Sluice gives to every instance.
"""

import os
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Reader(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, b"up\n")

    def do_POST(self):
        picture = self.rfile.read(int(self.headers.get("content-length", 0)))
        command = ["tesseract", "stdin", "stdout"]
        read = subprocess.run(command, input=picture, capture_output=True, check=False)
        if read.returncode != 0:
            self.answer(400, read.stderr)
            return
        print(f"{len(picture)} bytes of picture, {len(read.stdout)} of text", flush=True)
        self.answer(200, read.stdout.strip() + b"\n")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        """Health checks come every second: not worth a line."""


host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))
print(f"listening on {host}:{port}", flush=True)
ThreadingHTTPServer((host, port), Reader).serve_forever()
