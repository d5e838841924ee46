"""Sends the calls of a plan with segment-analytics-python, as an application
would, and prints what became of them: {"sent": n, "failed": [reason, ...]}.

usage: python send.py PLAN.json ENDPOINT WRITE_KEY
"""

import json
import sys
import time
from datetime import datetime

from segment.analytics.client import Client

# The SDK's parameters, by their names in the Segment spec.
NAMES = {
    "userId": "user_id",
    "anonymousId": "anonymous_id",
    "groupId": "group_id",
    "previousId": "previous_id",
    "messageId": "message_id",
}


def main():
    plan_file, host, write_key = sys.argv[1:]
    with open(plan_file, encoding="utf-8") as f:
        plan = json.load(f)
    sent, failed = 0, []
    client = Client(
        write_key,
        host=host,
        gzip=plan.get("gzip", False),
        upload_size=plan.get("flush_at") or 100,
        upload_interval=0.2,
        max_queue_size=len(plan["calls"]) + 1,
        on_error=lambda error, items: failed.extend([str(error)] * len(items)),
    )
    for call in plan["calls"]:
        params = {NAMES.get(name, name): value for name, value in call.items() if name != "type"}
        if "timestamp" in params:
            params["timestamp"] = datetime.fromisoformat(params["timestamp"].replace("Z", "+00:00"))
        queued, _ = getattr(client, call["type"])(**params)
        sent += 1
        if not queued:
            failed.append("the SDK's queue is full")
        if "per_second" in plan:
            time.sleep(1 / plan["per_second"])
    client.shutdown()
    print(json.dumps({"sent": sent, "failed": failed}))


main()
