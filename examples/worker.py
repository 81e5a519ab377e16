#!/usr/bin/env python3
"""A worker for Verdict in Python, with nothing but the standard library.

    worker.py http://localhost:8080 resize        # VERDICT_API_KEY in the environment where the server wants a key

Learns from the event feed which operations of its kind wait to be started, claims one after the other, keeps its lease with
heartbeats, stops when a cancel is asked, and says how each ended until the server has it. Every command carries an
Idempotency-Key, so that sending it again, after a lost answer or a restart of the server, does no harm.
"""
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

SERVER, KIND = sys.argv[1].rstrip("/"), sys.argv[2]
STOP_AFTER = int(sys.argv[3]) if len(sys.argv) > 3 else None


class Refused(Exception):
    """The server's answer was no: `code` says why."""

    def __init__(self, problem):
        super().__init__(problem["detail"])
        self.code, self.problem = problem["code"], problem


def call(method, path, body=None, key=None, wait=None):
    """One request, again after 1, 2, 4 ... 30 s while no server answers it. Raises Refused."""
    headers = {"content-type": "application/json"}
    if "VERDICT_API_KEY" in os.environ:
        headers["authorization"] = "Bearer " + os.environ["VERDICT_API_KEY"]
    if key:
        headers["idempotency-key"] = key
    if wait:
        headers["prefer"] = f"wait={wait}"
    data = None if body is None else json.dumps(body).encode()
    pause = 1
    while True:
        try:
            request = urllib.request.Request(SERVER + path, data, headers, method=method)
            with urllib.request.urlopen(request, timeout=(wait or 0) + 10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            # A limit or a lease is no matter of trying again; a server that ends, or a log that is away, is.
            if not (error.code == 503 and problem["retryable"]):
                raise Refused(problem)
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(pause)
        pause = min(30, pause * 2)


def command(address, verb, body):
    return call("POST", f"{address}:{verb}", body, key=str(uuid.uuid4()))


def waiting_operations():
    """Addresses of operations of the kind, from the oldest on, as they are registered."""
    after = None
    while True:
        query = {"kind": KIND, "types": "verdict.operation.registered"} | ({"after": after} if after else {})
        page = call("GET", "/v1/events?" + urllib.parse.urlencode(query), wait=25)
        for event in page.get("events", []):
            place = [urllib.parse.quote(event[part], safe="") for part in ("workspace", "owner", "subject")]
            yield "/v1/workspaces/{}/owners/{}/operations/{}".format(*place)
        after = page["nextAfter"]


class Lease:
    """Signs of life for as long as the work lasts; `stop` is set when a cancel was asked or the lease was lost."""

    def __init__(self, address, claimed):
        self.address, self.epoch, self.stop = address, claimed["leaseEpoch"], threading.Event()
        self.cancelled = False
        self.done = threading.Event()
        self.hear(claimed)
        self.thread = threading.Thread(target=self.beat, daemon=True)
        self.thread.start()

    def hear(self, answer):
        self.before = answer.get("nextHeartbeatBefore", 0) / 1000
        if answer.get("cancelRequested"):
            self.cancelled = True
            self.stop.set()

    def beat(self):
        while not self.done.wait(max(0.05, (self.before - time.time()) * 2 / 3)):
            try:
                self.hear(command(self.address, "heartbeat", {"leaseEpoch": self.epoch}))
            except Refused:
                self.stop.set()
                return

    def say(self, verb, **body):
        answer = command(self.address, verb, {"leaseEpoch": self.epoch, **body})
        self.hear(answer)
        return answer

    def end(self, verb, **body):
        self.done.set()
        self.thread.join()
        return self.say(verb, **body)


def work(lease, operation):
    """The work itself: here, adding up the numbers of its input."""
    numbers, total = operation.get("input", []), 0
    for i, number in enumerate(numbers, start=1):
        if lease.stop.is_set():
            return None
        if not isinstance(number, (int, float)):
            raise ValueError(f"{number!r} is no number")
        total += number
        lease.say("progress", processed=i, total=len(numbers))
    return {"sum": total}


def attempt(address):
    try:
        claimed = command(address, "claim", {})
    except Refused:
        return False  # somebody else has it, or it is over
    lease = Lease(address, claimed)
    try:
        result = work(lease, call("GET", address))
        if result is not None:
            lease.end("complete", result=result)
        elif lease.cancelled:
            lease.end("force-cancel")
    except ValueError as error:
        lease.end("fail", error={"message": str(error)})
    except Refused as refused:
        # The truth is another one by now: there is nothing left to say.
        print(address, refused.code, file=sys.stderr)
    finally:
        lease.done.set()
    print(address.rsplit("/", 1)[1], call("GET", address)["status"], flush=True)
    return True


if __name__ == "__main__":
    ended = 0
    for address in waiting_operations():
        ended += attempt(address)
        if STOP_AFTER is not None and ended >= STOP_AFTER:
            break
