"""Has a running Superset find the views of Tidemark and chart five of them, as a user of its API and of its pages does.

Usage: check.py PLAN. The plan is JSON: see the type plan in superset_test.go. What was found is printed as JSON.
"""

import json
import pathlib
import signal
import sys

import clickhouse_connect

import browser
import charts
from api import Superset


def main(plan):
    superset = Superset(plan["superset"], plan["user"], plan["password"])
    ch = plan["clickhouse"]
    uri = f"clickhousedb://{ch['user']}:{ch['password']}@{ch['host']}:{ch['port']}/{ch['database']}"
    database = superset.create("database", database_name="Tidemark", sqlalchemy_uri=uri, expose_in_sqllab=True)

    found = superset.get(f"database/{database}/tables/", q={"schema_name": ch["database"]})["result"]
    views = {}
    for name in sorted(t["value"] for t in found):
        if name in plan["views"]:
            table = superset.get(f"database/{database}/table_metadata/", name=name, schema=ch["database"])
            columns = [[c["name"], c["type"], c["comment"] or ""] for c in table["columns"]]
            views[name] = {"columns": columns}
    comments = superset.sql(database, ch["database"], "SELECT name, comment FROM system.tables WHERE database = currentDatabase()")

    dashboard = superset.create("dashboard", dashboard_title="Tidemark", slug="tidemark", published=True)
    made, datasets = [], {}
    for chart in charts.charts(plan["from"], plan["to"]):
        dataset = superset.create("dataset", database=database, schema=ch["database"], table_name=chart.view)
        columns = superset.get(f"dataset/{dataset}")["result"]["columns"]
        datasets[chart.view] = {c["column_name"]: c["description"] or "" for c in columns}
        made.append((chart, superset.create("chart", **chart.definition(dataset, dashboard))))
    superset.put(f"dashboard/{dashboard}", position_json=json.dumps(charts.layout(made)))

    direct = clickhouse_connect.get_client(
        host=ch["host"], port=ch["port"], username=ch["user"], password=ch["password"], database=ch["database"]
    )
    answers = []
    for chart, number in made:
        result = superset.get(f"chart/{number}/data/")["result"][0]
        rows = [[row[name] for name in chart.columns] for row in result["data"]]
        answers.append(
            {
                "chart": chart.title,
                "view": chart.view,
                "superset": sorted(map(charts.plain, rows)),
                "direct": sorted(map(charts.plain, direct.query(chart.sql).result_rows)),
                "query": result["query"],
            }
        )
    direct.close()

    pictures = pathlib.Path(plan["pictures"])
    shown = browser.show(superset, made, pictures)
    return {"listed": len(found), "views": views, "comments": {r["name"]: r["comment"] for r in comments}, "datasets": datasets, "answers": answers, "shown": shown}


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    signal.alarm(plan["seconds"])  # ends the browser too: its driver notices
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("the check took too long"))
    json.dump(main(plan), sys.stdout)
