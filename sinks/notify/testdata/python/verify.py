"""Verifies the messages that stand on standard input, a JSON object {body, headers} a line, and prints their types."""

import json
import os
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

wh = Webhook(os.environ["SECRET"])

for line in sys.stdin:
    request = json.loads(line)
    try:
        message = wh.verify(request["body"], request["headers"])  # raises unless it is signed
        print(message["type"])
    except WebhookVerificationError:
        print("refused")
