#!/usr/bin/env python3
"""Checks exported events without Verdict: one line of NDJSON each on standard input, of any streams, oldest first.

Prints the last event of each stream (name, revision, hash), to be compared with heads that were kept elsewhere: a chain
alone cannot see a tail that was cut off. At the first fault it names stream and revision on standard error and exits 1.
The hashes are over bytes, so the texts are cut out of the line as they stand and never parsed and written again.
"""
import hashlib
import json
import re
import sys

BODY = re.compile(rb'\{"stream":("(?:[^"\\]|\\.)*"),"revision":(0|[1-9][0-9]*),"type":"')
BOUNDARY = b',"content":{"salt":"'


def verify(lines):
    """The heads by stream, as (revision, hash); ValueError at the first fault."""
    heads = {}
    for count, line in enumerate(lines, start=1):
        line = line.removesuffix(b"\n")
        start, end = BODY.match(line, 82), line.find(BOUNDARY)
        if not (line.startswith(b'{"hash":"') and line[73:82] == b'","body":' and start and end > 0 and line[-1:] == b"}"):
            raise ValueError(f"Line {count} is not an exported event.")
        claimed, body, content = line[9:73], line[82:end], line[end + len(b',"content":') : -1]
        stream, revision = json.loads(start[1]), int(start[2])
        last, previous = heads.get(stream, (-1, "0" * 64))
        where = f"Stream '{stream}' at revision {last + 1}:"
        if revision != last + 1:
            raise ValueError(f"{where} revision {revision} stands in its place.")
        if not body.endswith(b',"content":"%s"}' % hashlib.sha256(content).hexdigest().encode()):
            raise ValueError(f"{where} the content is not the one that its body names.")
        expected = hashlib.sha256(bytes.fromhex(previous) + body).hexdigest()
        if claimed != expected.encode():
            raise ValueError(f"{where} its hash must be {expected} after its predecessor.")
        heads[stream] = (revision, expected)
    return heads


if __name__ == "__main__":
    try:
        for stream, (revision, digest) in verify(sys.stdin.buffer).items():
            print(stream, revision, digest)
    except ValueError as fault:
        sys.exit(str(fault))
