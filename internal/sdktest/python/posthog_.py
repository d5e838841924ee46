"""send.py with posthog. (A module called posthog would hide the SDK.)"""

import json
import sys
from datetime import datetime

from posthog import Posthog


def main():
    plan_file, host, write_key = sys.argv[1:]
    with open(plan_file, encoding="utf-8") as f:
        plan = json.load(f)
    failed = []
    client = Posthog(write_key, host=host, gzip=plan.get("gzip", False), flush_interval=0.2,
                     on_error=lambda error, items: failed.extend([str(error)] * len(items)))
    for call in plan["calls"]:
        if call["type"] == "group":
            client.group_identify("company", call["groupId"], call.get("traits"), distinct_id=call.get("userId"))
            continue
        if call["type"] == "alias":
            client.alias(call["previousId"], call["userId"])
            continue
        params = {"distinct_id": call["userId"], "properties": call.get("properties")}
        if "context" in call:
            params["groups"] = {"company": call["context"]["groupId"]}
        if "timestamp" in call:
            params["timestamp"] = datetime.fromisoformat(call["timestamp"].replace("Z", "+00:00"))
        if "messageId" in call:
            params["uuid"] = call["messageId"]
        client.capture(call["event"], **params)
    client.shutdown()
    print(json.dumps({"sent": len(plan["calls"]), "failed": failed}))


main()
