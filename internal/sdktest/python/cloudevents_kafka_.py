"""Prints what cloudevents makes of a plan's calls for a Kafka producer, binary and structured in turn: {headers, key, value}, bytes as base64."""

import base64
import json
import sys
from datetime import datetime

from cloudevents.core.bindings.kafka import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent


def encoded(value):
    if value is None:
        return None
    return base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        plan = json.load(f)
    messages = []
    for i, call in enumerate(plan["calls"]):
        account = call["context"]["groupId"]
        attributes = {"type": call["event"], "source": "/sdktest", "id": call["messageId"], "datacontenttype": "application/json", "subject": account,
                      "partitionkey": account, "time": datetime.fromisoformat(call["timestamp"].replace("Z", "+00:00"))}
        event = CloudEvent(attributes, {**(call.get("properties") or {}), "user_id": call["userId"]})
        message = (to_structured if i % 2 else to_binary)(event, JSONFormat())
        messages.append({"headers": {name: encoded(v) for name, v in message.headers.items()}, "key": encoded(message.key), "value": encoded(message.value)})
    print(json.dumps(messages))


main()
