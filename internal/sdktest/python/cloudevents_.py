"""send.py with cloudevents, binary, structured and in a batch in turn."""

import json
import sys
from datetime import datetime

import requests
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent


def main():
    plan_file, host, write_key = sys.argv[1:]
    with open(plan_file, encoding="utf-8") as f:
        plan = json.load(f)
    failed = []
    for i, call in enumerate(plan["calls"]):
        attributes = {"type": call["event"], "source": "/sdktest", "id": call["messageId"], "datacontenttype": "application/json"}
        if "context" in call:
            attributes["subject"] = call["context"]["groupId"]
        if "timestamp" in call:
            attributes["time"] = datetime.fromisoformat(call["timestamp"].replace("Z", "+00:00"))
        data = dict(call.get("properties") or {})
        if "userId" in call:
            data["user_id"] = call["userId"]
        event = CloudEvent(attributes, data)
        if i % 3 == 0:
            message = to_binary_event(event)
            headers, body = message.headers, message.body
        elif i % 3 == 1:
            message = to_structured_event(event)
            headers, body = message.headers, message.body
        else:
            headers = {"content-type": "application/cloudevents-batch+json"}
            body = b"[" + bytes(JSONFormat().write(event)) + b"]"
        response = requests.post(host + "/v1/cloudevents", data=body, timeout=60,
                                 headers={**headers, "Authorization": "Bearer " + write_key})
        if not response.ok:
            failed.append(f"{response.status_code} {response.text}")
    print(json.dumps({"sent": len(plan["calls"]), "failed": failed}))


main()
