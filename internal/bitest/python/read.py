"""Reads the views with clickhouse-connect: read.py PLAN, a JSON file; what it got is printed as JSON."""

import datetime
import json
import sys

import clickhouse_connect


def typed(value):
    """The value with the name of the type that the client gave it."""
    if isinstance(value, datetime.datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"date": value.isoformat()}
    if isinstance(value, (list, tuple)):
        return [typed(v) for v in value]
    if isinstance(value, dict):
        return {"dict": {k: typed(v) for k, v in value.items()}}
    if value is None:
        return None
    return {type(value).__name__: value}


plan = json.load(open(sys.argv[1]))
client = clickhouse_connect.get_client(
    host=plan["host"], port=plan["port"], username=plan["user"], password=plan["password"], database=plan["database"]
)
views = client.query(
    "SELECT name, comment FROM system.tables WHERE database = currentDatabase() AND engine = 'View' ORDER BY name"
).result_rows
comments = client.query(
    "SELECT table, name, comment FROM system.columns WHERE database = {database:String}"
    " AND table IN (SELECT name FROM system.tables WHERE database = {database:String} AND engine = 'View') ORDER BY table, position",
    parameters={"database": plan["database"]},
).result_rows
answers = {}
for question in plan["questions"]:
    result = client.query(question["sql"], parameters=question["parameters"])
    answers[question["name"]] = [dict(zip(result.column_names, map(typed, row))) for row in result.result_rows]
json.dump({"views": views, "comments": comments, "answers": answers}, sys.stdout)
