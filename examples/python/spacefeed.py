"""A client of Spacefeed in Python's standard library: python3 spacefeed.py URL SPACE [TOKEN]

Follows a space and prints its state after each group of events, as a line of JSON. (6.3): the rule in docs/protocol.md.
"""

import functools
import http.client
import json
import random
import re
import sys
import time
from urllib.parse import quote, urlsplit

LEAST_SILENCE = 4.5  # seconds (7.3)
EVENT = re.compile(r"(.+)-(created|updated|deleted|appended)")


class Gap(Exception):
    """What came does not fit: connect again with the own cursor (6.4)."""


class Space:
    """What the relay has said of a space so far, at one version."""

    def __init__(self):
        self.version, self.cursor, self.has_more, self.lists = None, None, False, {}

    def apply(self, group):
        """Applies a group whole (6.1), or raises Gap and applies nothing. False: it was known already."""
        last = group[-1]
        is_ours = last["cursor"].rpartition(".")[0] == (self.cursor or "").rpartition(".")[0]  # 1.4
        if is_ours and last["version"] <= self.version:
            return False  # 6.3
        if last["type"] == "space-sync":  # 6.5
            named = {"being": last["beings"], "intention": last["intentions"], **last.get("entities", {})}
            lists = {kind: {row["id"]: row for row in rows} for kind, rows in named.items()}
        elif not is_ours or last["prev"] != self.version:
            raise Gap  # 6.4
        else:
            lists = {kind: dict(rows) for kind, rows in self.lists.items()}
            oldest = min(map(position, lists["intention"].values()), default=None)
            for event in group:
                self.set(lists, event, oldest if self.has_more else None)
        self.has_more = last.get("hasMore", self.has_more)
        self.version, self.cursor, self.lists = last["version"], last["cursor"], lists
        return True

    def set(self, lists, event, oldest):
        """One event of a group. `oldest`: where this client's part of the messages begins; None: it has all."""
        known = EVENT.fullmatch(event["type"])
        if not known:
            return  # 6.8
        kind, verb = known.groups()
        rows = lists.setdefault(kind, {})
        if verb == "deleted":
            rows.pop(event["id"], None)
        elif verb == "appended":
            if event["id"] in rows:
                rows[event["id"]] = appended(rows[event["id"]], event)
            elif kind != "intention" or oldest is None:
                raise Gap  # 10.3
        elif kind != "intention" or oldest is None or position(event["data"]) >= oldest:  # 6.7
            rows[event["data"]["id"]] = event["data"]  # 6.6

    def state(self):
        entities = {kind: list(rows.values()) for kind, rows in self.lists.items()}
        lists = {"beings": entities.pop("being"), "intentions": entities.pop("intention")}
        return {"version": self.version, **lists, "entities": entities}


def position(message):
    return message["createdAt"], int(message["messageId"][4:])  # 1.7


def appended(row, event):
    """The row with a text that goes on (10.3). Lengths count UTF-16 units, which are two bytes each."""
    row = json.loads(json.dumps({**row, **event["data"]}))
    *way, name = event["path"]
    holder = functools.reduce(lambda value, step: value[step], way, row)
    text, more, at = holder[name].encode("utf-16-le"), event["text"].encode("utf-16-le"), 2 * event["at"]
    if len(text) == at:
        holder[name] = (text + more).decode("utf-16-le")
    elif len(text) < at or text[at : at + len(more)] != more:
        raise Gap
    return row


def messages(response):
    """The SSE messages of a stream as (event, data), whatever its lines end with (6.9)."""
    rest, event, data = b"", "message", []
    while chunk := response.read1(65536):
        rest += chunk
        *lines, rest = re.split(rb"\r\n|\n|\r(?=[^\n])", rest)
        for line in lines:
            field, _, value = line.decode().partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
            elif field == "event":
                event = value
            elif not line:
                if data:
                    yield event, "\n".join(data)
                event, data = "message", []


def follow(url, space_id, token, space, show):
    """Reads one stream until it ends, is silent, or has a gap."""
    base = urlsplit(url)
    connect = http.client.HTTPSConnection if base.scheme == "https" else http.client.HTTPConnection
    connection = connect(base.netloc, timeout=LEAST_SILENCE)
    since = f"&since={quote(space.cursor)}" if space.cursor else ""  # 6.2
    headers = {"Accept": "text/event-stream", **({"Authorization": f"Bearer {token[0]}"} if token else {})}
    try:
        path = f"{base.path.rstrip('/')}/api/stream?spaceId={quote(space_id, safe='')}&appends=1{since}"
        connection.request("GET", path, headers=headers)
        socket = connection.sock  # the response takes it over
        response = connection.getresponse()
        if response.status != 200:
            raise OSError(f"{response.status}: {response.read().decode(errors='replace')}")
        group = []
        for event, data in messages(response):
            if event == "heartbeat":
                beat = json.loads(data)
                socket.settimeout(max(LEAST_SILENCE, 2.25 * beat["everyMs"] / 1000))  # 7.3
                if beat["version"] is not None and space.version is not None and beat["version"] > space.version:
                    raise Gap  # 7.2
            elif event == "message":
                group.append(json.loads(data))
                if "cursor" in group[-1]:
                    if space.apply(group):
                        show(space.state())
                    group = []
    finally:
        connection.close()


if __name__ == "__main__":
    here, losses, (url, space_id, *token) = Space(), 0, sys.argv[1:]
    while True:
        before = here.version
        try:
            follow(url, space_id, token, here, show=lambda state: print(json.dumps(state), flush=True))
        except Gap:
            pass
        except (OSError, http.client.HTTPException) as error:
            print(f"no live updates: {error}", file=sys.stderr)
        losses = losses + 1 if here.version == before else 1
        time.sleep(min(5, 0.1 * 2**losses) * (0.2 + 0.8 * random.random()))  # 4.2: longer each time, and spread
