"""A receiver of Verdict's webhooks with nothing but Python's standard library.

    VERDICT_WEBHOOK_SECRET=whsec_... python3 webhook_receiver.py PORT

Prints a line for each event whose signature is good. `verified` is what a receiver of one's own needs.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

TOLERANCE_S = 5 * 60


def verified(secret, headers, body, now):
    """Whether the body is what was signed with the secret (https://www.standardwebhooks.com), and not long ago."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    timestamp = headers["webhook-timestamp"]
    if abs(now - int(timestamp)) > TOLERANCE_S:
        return False
    signed = f"{headers['webhook-id']}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    # One signature for each secret of the sender.
    return any(hmac.compare_digest(expected, one) for one in headers["webhook-signature"].split(" "))


class Receiver(BaseHTTPRequestHandler):
    seen = set()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if not verified(os.environ["VERDICT_WEBHOOK_SECRET"], self.headers, body, time.time()):
            self.send_response(401)
            self.end_headers()
            return
        # The same id may come again: what was done is not done twice.
        if self.headers["webhook-id"] not in self.seen:
            self.seen.add(self.headers["webhook-id"])
            event = json.loads(body)
            print(event["type"], event.get("subject", "-"), flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()
