#!/usr/bin/env python3
"""Follows the live events of Verdict in Python, with nothing but the standard library.

    consumer.py http://localhost:8080 cursor.txt        # VERDICT_API_KEY in the environment where the server wants a key

Prints a line for each event, once and in order, and keeps its place in a file, so that it goes on where it was: after it was
stopped, after the server was restarted, after the connection was lost. Reads the stream (server-sent events), which is what
browsers do with `new EventSource('/v1/events')`.
"""
import json
import os
import sys
import time
import urllib.parse
import urllib.request

SERVER, PLACE = sys.argv[1].rstrip("/"), sys.argv[2]
STOP_AFTER = int(sys.argv[3]) if len(sys.argv) > 3 else None
#: The server says that it lives every 20 s; who is silent for longer is gone.
SILENCE_SECONDS = 60


def frames(lines):
    """(name, id, data) of each server-sent event."""
    name, cursor, data = "message", None, []
    for line in lines:
        line = line.decode().rstrip("\n")
        if line == "":
            if data:
                yield name, cursor, "\n".join(data)
            name, cursor, data = "message", None, []
        elif not line.startswith(":"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "id":
                cursor = value
            elif field == "data":
                data.append(value)


def events(cursor):
    """Each event once, with its cursor, for ever."""
    pause = 1
    while True:
        headers = {"accept": "text/event-stream"}
        if cursor:
            headers["last-event-id"] = cursor
        if "VERDICT_API_KEY" in os.environ:
            headers["authorization"] = "Bearer " + os.environ["VERDICT_API_KEY"]
        try:
            request = urllib.request.Request(SERVER + "/v1/events", headers=headers)
            with urllib.request.urlopen(request, timeout=SILENCE_SECONDS) as stream:
                for name, place, data in frames(stream):
                    pause = 1
                    if name == "message":
                        cursor = place
                        yield cursor, json.loads(data)
                    elif name == "resync":
                        # Another log, or an older state of it: what was known is to be looked at afresh.
                        cursor = json.loads(data)["cursor"]
                        print("resync: what was read before is not in the log any more", file=sys.stderr)
        except OSError:
            pass
        time.sleep(pause)
        pause = min(30, pause * 2)


def kept():
    try:
        with open(PLACE) as file:
            return file.read().strip() or None
    except FileNotFoundError:
        return None


def keep(cursor):
    with open(PLACE + ".tmp", "w") as file:
        file.write(cursor)
    os.replace(PLACE + ".tmp", PLACE)


if __name__ == "__main__":
    for count, (cursor, event) in enumerate(events(kept()), start=1):
        print(event["id"], event["type"], event.get("subject", "-"), flush=True)
        keep(cursor)  # after the event was dealt with: at least once, and by its id once
        if count == STOP_AFTER:
            break
